// Decodes what `helm template` renders as a Kubernetes API server would: unknown, misspelt and
// repeated fields are errors, and so are pods that the restricted pod security standard refuses and
// names that refer to nothing.
//
//	kubernetes decode < rendered.yaml    prints the objects as one JSON array, or all that is wrong
//	kubernetes json < values.yaml        prints one YAML document as JSON
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 || (os.Args[1] != "decode" && os.Args[1] != "json") {
		fmt.Fprintln(os.Stderr, "usage: kubernetes decode|json < YAML")
		os.Exit(2)
	}
	print := decode
	if os.Args[1] == "json" {
		print = toJSON
	}
	if err := print(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func toJSON(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	value, err := strict.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	_, err = out.Write(value)
	return err
}

func decode(in io.Reader, out io.Writer) error {
	objects, err := decodeAll(in)
	if err != nil {
		return err
	}
	if err := checkAll(objects); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(objects)
}

// decodeAll decodes every document of a stream, and collects what is wrong with any.
func decodeAll(in io.Reader) ([]runtime.Object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, autoscaling.AddToScheme, core.AddToScheme, networking.AddToScheme,
		policy.AddToScheme, monitoring.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	options := serializer.SerializerOptions{Yaml: true, Strict: true}
	decoder := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, options)

	var objects []runtime.Object
	var wrong []error
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, errors.Join(wrong...)
		} else if err != nil {
			return nil, err
		}
		if empty(document) {
			continue
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", describe(object), err))
			continue
		}
		objects = append(objects, object)
	}
}

// empty says whether a document has nothing but comments.
func empty(document []byte) bool {
	var value any
	return strict.Unmarshal(document, &value) == nil && value == nil
}

func describe(object runtime.Object) string {
	if object == nil {
		return "object"
	}
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if named, err := meta.Accessor(object); err == nil {
		return kind + " " + named.GetName()
	}
	return kind
}
