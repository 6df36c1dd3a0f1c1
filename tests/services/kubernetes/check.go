package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	names "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	security "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// checkAll collects what decoding does not see.
func checkAll(objects []runtime.Object) error {
	var wrong []error
	var pods []core.PodTemplateSpec
	seen := map[string]bool{}
	for _, object := range objects {
		what := describe(object)
		if seen[what] {
			wrong = append(wrong, fmt.Errorf("%s: rendered twice", what))
		}
		seen[what] = true
		wrong = append(wrong, checkMeta(what, object)...)
		switch object := object.(type) {
		case *apps.StatefulSet:
			pods = append(pods, object.Spec.Template)
			wrong = append(wrong, checkSet(what, object)...)
		case *core.Pod:
			pod := core.PodTemplateSpec{ObjectMeta: object.ObjectMeta, Spec: object.Spec}
			pods = append(pods, pod)
			wrong = append(wrong, checkPod(what, pod, nil)...)
		}
	}
	for _, object := range objects {
		if service, ok := object.(*core.Service); ok {
			wrong = append(wrong, checkService(service, pods)...)
		}
	}
	return errors.Join(wrong...)
}

func checkMeta(what string, object runtime.Object) (wrong []error) {
	named, err := meta.Accessor(object)
	if err != nil {
		return []error{err}
	}
	for _, problem := range names.IsDNS1123Label(named.GetName()) {
		wrong = append(wrong, fmt.Errorf("%s: name: %s", what, problem))
	}
	if named.GetNamespace() == "" {
		wrong = append(wrong, fmt.Errorf("%s: has no namespace", what))
	}
	for _, problem := range validation.ValidateLabels(named.GetLabels(), field.NewPath("metadata", "labels")) {
		wrong = append(wrong, fmt.Errorf("%s: %w", what, problem))
	}
	return wrong
}

func checkSet(what string, set *apps.StatefulSet) (wrong []error) {
	selector, err := v1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil || selector.Empty() || !selector.Matches(labels.Set(set.Spec.Template.Labels)) {
		wrong = append(wrong, fmt.Errorf("%s: its selector does not find its pods", what))
	}
	claims := []string{}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		claims = append(claims, claim.Name)
	}
	return append(wrong, checkPod(what, set.Spec.Template, claims)...)
}

// checkPod asks the code of Kubernetes' own admission whether the pod is restricted, and looks up
// what its containers name.
func checkPod(what string, pod core.PodTemplateSpec, volumes []string) (wrong []error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []error{err}
	}
	level := security.LevelVersion{Level: security.LevelRestricted, Version: security.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		wrong = append(wrong, fmt.Errorf("%s: not restricted: %s", what, result.ForbiddenDetail()))
	}
	if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token {
		wrong = append(wrong, fmt.Errorf("%s: mounts a service account token", what))
	}
	for _, volume := range pod.Spec.Volumes {
		volumes = append(volumes, volume.Name)
	}
	for _, container := range pod.Spec.Containers {
		wrong = append(wrong, checkContainer(what, container, volumes)...)
	}
	return wrong
}

func checkContainer(what string, container core.Container, volumes []string) (wrong []error) {
	if context := container.SecurityContext; context == nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
		wrong = append(wrong, fmt.Errorf("%s: writes to the file system of its image", what))
	}
	_, tag, tagged := strings.Cut(container.Image[strings.LastIndex(container.Image, "/")+1:], ":")
	if !tagged || tag == "latest" {
		wrong = append(wrong, fmt.Errorf("%s: image %s has no fixed version", what, container.Image))
	}
	var paths, variables []string
	for _, mount := range container.VolumeMounts {
		if !slices.Contains(volumes, mount.Name) {
			wrong = append(wrong, fmt.Errorf("%s: mounts volume %s, which is not there", what, mount.Name))
		}
		if slices.Contains(paths, mount.MountPath) {
			wrong = append(wrong, fmt.Errorf("%s: mounts two volumes at %s", what, mount.MountPath))
		}
		paths = append(paths, mount.MountPath)
	}
	for _, variable := range container.Env {
		if slices.Contains(variables, variable.Name) {
			wrong = append(wrong, fmt.Errorf("%s: sets %s twice", what, variable.Name))
		}
		variables = append(variables, variable.Name)
	}
	return wrong
}

func checkService(service *core.Service, pods []core.PodTemplateSpec) (wrong []error) {
	selector := labels.SelectorFromSet(service.Spec.Selector)
	ports := map[string]bool{}
	found := 0
	for _, pod := range pods {
		if selector.Matches(labels.Set(pod.Labels)) {
			found++
			for _, container := range pod.Spec.Containers {
				for _, port := range container.Ports {
					ports[port.Name] = true
				}
			}
		}
	}
	if found != 1 {
		wrong = append(wrong, fmt.Errorf("%s: its selector finds %d kinds of pods", describe(service), found))
	}
	for _, port := range service.Spec.Ports {
		if !ports[port.TargetPort.StrVal] {
			wrong = append(wrong, fmt.Errorf("%s: port %s leads to no port of a pod", describe(service), port.Name))
		}
	}
	return wrong
}
