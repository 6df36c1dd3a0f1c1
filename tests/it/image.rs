//! The image: what the Containerfile puts together runs, and nothing else is in it. The file system
//! is made by the script that the build of the image runs; no container tool is needed for that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::documents::examples;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/image/rootfs.sh");

/// The file system of the image around the program under test.
fn root() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(SCRIPT)
        .arg(env!("CARGO_BIN_EXE_weir"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    folder
}

/// Runs a program of the image by the image's own loader, which is the file beside its libraries
/// that a kernel would start.
fn run(root: &Path, arguments: &[&str]) -> Output {
    let loaders = ["usr/lib64", "usr/lib"].map(|folder| root.join(folder));
    let files = loaders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let loader = files
        .flatten()
        .map(|file| file.unwrap().path())
        .find(|path| path.to_string_lossy().contains("/ld-linux"));
    let libraries = fs::read_dir(root.join("usr/lib")).unwrap();
    let libraries = libraries
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    Command::new(loader.expect("the image has a loader"))
        .arg("--inhibit-cache")
        .arg("--library-path")
        .arg(libraries.expect("the image has libraries"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_image_has_all_libraries_that_its_programs_load() {
    let root = root();
    let inside = root.path().to_str().unwrap();
    for program in ["usr/bin/weir", "usr/bin/sleep"] {
        let program = root.path().join(program);
        let listed = text(&run(root.path(), &["--list", program.to_str().unwrap()]));
        assert!(listed.contains("libc.so.6"), "{listed}");
        for line in listed.lines().filter(|line| line.contains("=>")) {
            let (_, path) = line.split_once("=> ").unwrap();
            assert!(path.starts_with(inside), "not in the image: {line}");
        }
    }
}

#[test]
fn the_program_of_the_image_compiles_documents() {
    let root = root();
    let program = root.path().join("usr/bin/weir");
    let documents = examples().join("quickstart");
    let arguments = [
        program.to_str().unwrap(),
        "check",
        documents.to_str().unwrap(),
    ];
    let output = run(root.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).contains("documents"), "{}", text(&output));
}

#[test]
fn the_image_has_certificates_zones_a_user_and_no_shell() {
    let root = root();
    let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    assert!(read("etc/ssl/certs/ca-certificates.crt").contains("BEGIN CERTIFICATE"));
    assert!(read("etc/passwd").starts_with("weir:x:65532:65532:"));
    assert!(
        root.path()
            .join("usr/share/zoneinfo/Asia/Shanghai")
            .exists()
    );
    // Scanners of images find out from this what is in it.
    let packages = read("var/lib/dpkg/status");
    for package in ["libc6", "libssl3", "zlib1g", "libstdc++6", "tzdata"] {
        let there = packages
            .lines()
            .any(|line| line.starts_with(&format!("Package: {package}")));
        assert!(there, "{package} is not named");
    }
    let programs = fs::read_dir(root.path().join("usr/bin")).unwrap();
    let mut programs: Vec<_> = programs.map(|file| file.unwrap().file_name()).collect();
    programs.sort();
    assert_eq!(programs, ["sleep", "weir"]);
}

#[test]
fn the_build_of_the_image_has_every_file_that_the_program_includes() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let included = regex::Regex::new(r#"include_(?:str|bytes)!\(\s*"([^"]+)""#).unwrap();
    let mut files: Vec<PathBuf> = vec![src.clone()];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            seen += 1;
            let text = fs::read_to_string(&path).unwrap();
            for found in included.captures_iter(&text) {
                let file = path
                    .parent()
                    .unwrap()
                    .join(&found[1])
                    .canonicalize()
                    .unwrap();
                assert!(
                    file.starts_with(&src),
                    "{} is not copied by the Containerfile",
                    file.display()
                );
            }
        }
    }
    assert!(seen > 100);
}
