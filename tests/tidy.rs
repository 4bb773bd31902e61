//! Checks of the repository's own rules: dependency directions, file and function sizes, and that every
//! Lambda function is declared and documented.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use tests::process::root;

pub(crate) fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = vec![];
    files(&root(), ".rs", &mut found);
    found.sort();
    found
}

/// Returns the names of the Lambda functions, sorted; each has a directory under `functions/`.
fn functions() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("functions")).unwrap();
    let mut names: Vec<String> = folders.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the workspace crates that a manifest lists after `[dependencies]`.
fn ours(manifest: &Path) -> Vec<String> {
    let text = read_to_string(manifest).unwrap();
    let (_, dependencies) = text.split_once("[dependencies]").unwrap();
    let mut known: Vec<String> =
        ["aws", "domain", "store", "edge", "gateways", "vault", "issuing"].map(str::to_owned).to_vec();
    known.extend(functions());
    let names = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| known.iter().any(|known| known == name)).map(str::to_owned).collect()
}

#[test]
fn dependencies_point_from_functions_to_shared_to_domain_and_never_between_functions() {
    let allowed = BTreeMap::from([
        ("aws", vec![]),
        ("domain", vec![]),
        ("store", vec!["domain"]),
        ("gateways", vec!["domain"]),
        ("vault", vec!["aws", "domain"]),
        ("issuing", vec!["domain", "store", "gateways", "vault"]),
        ("edge", vec!["aws", "domain", "store", "vault"]),
    ]);
    for (name, allowed) in allowed {
        let manifest = root().join("shared").join(name).join("Cargo.toml");
        if manifest.exists() {
            let extra: Vec<_> =
                ours(&manifest).into_iter().filter(|n| !allowed.contains(&n.as_str())).collect();
            assert!(extra.is_empty(), "{name} depends on {extra:?}");
        }
    }
    let functions = functions();
    for function in &functions {
        let used = ours(&root().join("functions").join(function).join("Cargo.toml"));
        assert!(used.iter().all(|name| !functions.contains(name)), "{function} depends on another function");
    }
}

/// Returns the line without its string literals.
fn without_texts(line: &str) -> String {
    line.split('"').step_by(2).collect()
}

/// Returns true if the line names a path that begins with `what`, in a `use` item or written out (`what::…`).
fn names(line: &str, what: &str) -> bool {
    let bare = what.trim_end_matches("::");
    line.match_indices(bare).any(|(at, _)| {
        let starts =
            !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
        let rest = &line[at + bare.len()..];
        let path = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').starts_with("::");
        starts
            && (path || line.trim_start().starts_with("use "))
            && (!what.ends_with("::") || rest.starts_with("::"))
    })
}

#[test]
fn crates_use_only_the_libraries_that_the_design_allows() {
    for file in sources() {
        let place = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let text = read_to_string(&file).unwrap();
        // Covers `use` items and paths that are written out; comments and string literals are ignored.
        let code: Vec<String> =
            text.lines().map(|line| without_texts(line.split("//").next().unwrap())).collect();
        let uses = |what: &str| code.iter().any(|line| names(line, what));
        let in_tests = place.starts_with("tests/");
        assert!(in_tests || place.starts_with("shared/store/") || !uses("aws_sdk_dynamodb"), "{place}");
        if place.starts_with("shared/domain/") {
            for what in ["tokio", "async", "std::env", "std::fs", "std::net", "std::time", "aws_", "http"] {
                assert!(!uses(what), "{place} uses {what}");
            }
            assert!(!text.contains("async fn"), "{place}");
        }
        if place.starts_with("shared/store/") {
            assert!(!uses("http::") && !uses("axum"), "{place} uses HTTP");
        }
        for name in ["utils.rs", "common.rs", "helpers.rs"] {
            assert!(!place.ends_with(name), "{place}: the name does not say what the file contains");
        }
    }
}

#[test]
fn files_stay_under_four_hundred_lines_and_functions_under_seventy() {
    for file in sources() {
        let text = read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= 400, "{} has {} lines", file.display(), lines.len());
        let mut start = None;
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start().trim_start_matches("pub").trim_start_matches("(crate)").trim_start();
            let is_fn = ["fn ", "async fn ", "const fn "].iter().any(|word| head.starts_with(word));
            if is_fn && !line.trim_end().ends_with(';') {
                start = Some((at, indent));
            }
            if let Some((from, depth)) =
                start.filter(|(_, depth)| *line == format!("{}}}", " ".repeat(*depth)))
            {
                assert!(
                    at - from <= 90 - depth.min(20),
                    "{}:{} is {} lines",
                    file.display(),
                    from + 1,
                    at - from + 1
                );
                let in_tests = file.starts_with(root().join("tests"));
                assert!(
                    in_tests || at - from < 70,
                    "{}:{} is {} lines",
                    file.display(),
                    from + 1,
                    at - from + 1
                );
                start = None;
            }
        }
    }
}

#[test]
fn every_module_opens_with_a_sentence_and_every_module_of_the_product_states_its_invariants() {
    for file in sources() {
        let text = read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} has no opening sentence", file.display());
        let place = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let product = !place.starts_with("tests/") && !place.ends_with("main.rs");
        let descriptive = place.contains("/items/") || place.ends_with("openapi.rs");
        assert!(!product || descriptive || text.contains("**Invariant:**"), "{place} states no invariant");
    }
}

#[test]
fn every_function_has_a_block_in_the_template_and_a_row_in_the_architecture() {
    let template = read_to_string(root().join("infra/template.yaml")).unwrap();
    let architecture = read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for function in functions() {
        assert!(
            template.contains(&format!("FunctionName: !Sub \"${{AWS::StackName}}-{function}\"")),
            "{function}"
        );
        assert!(architecture.contains(&format!("| `{function}` |")), "{function}");
    }
}

#[test]
fn the_template_declares_the_table_as_the_code_makes_it() {
    let template = read_to_string(root().join("infra/template.yaml")).unwrap();
    for (index, hash, range, whole) in store::schema::INDEXES {
        let kind = if whole { "ALL" } else { "KEYS_ONLY" };
        let block = format!(
            "IndexName: {index}\n          KeySchema:\n            - {{ AttributeName: {hash}, KeyType: HASH }}\n            \
             - {{ AttributeName: {range}, KeyType: RANGE }}\n          Projection: {{ ProjectionType: {kind} }}"
        );
        assert!(template.contains(&block), "{block}");
    }
    let keys = format!("{{ AttributeName: {}, KeyType: HASH }}", store::keys::PK);
    assert!(template.contains(&keys) && template.contains(store::keys::SK));
}

#[test]
fn nothing_is_left_for_later_and_nothing_sleeps() {
    for file in sources() {
        let place = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let text = read_to_string(&file).unwrap();
        for (word, but) in [
            (concat!("to", "do!("), ""),
            (concat!("unimple", "mented!("), ""),
            (concat!("#[ig", "nore"), ""),
            // The only wait in the product: the backoff between two attempts.
            (concat!("sle", "ep("), "shared/store/src/engine/retry.rs"),
            (concat!("FIX", "ME"), ""),
        ] {
            assert!(!text.contains(word) || place == but, "{place} contains {word}");
        }
        let money = place.starts_with("shared/") || place.starts_with("functions/");
        let floats = [concat!("f", "32"), concat!("f", "64")];
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            assert!(!money || words.into_iter().all(|word| !floats.contains(&word)), "{place}: {line}");
        }
    }
}
