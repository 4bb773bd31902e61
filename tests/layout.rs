//! Checks of the crates' layout: which area may import which, and that no files import each other in a cycle.

use crate::tidy::files;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use tests::process::root;

/// A crate's areas (its top-level folders and files), lowest layer first, each with the areas that it may
/// import.
type Areas = &'static [(&'static str, &'static [&'static str])];

const DOMAIN: Areas = &[
    ("primitives", &[]),
    ("policy", &["primitives"]),
    ("ids", &["primitives"]),
    ("actor", &["ids", "primitives"]),
    ("alert", &["ids", "primitives"]),
    ("rejection", &["ids", "primitives"]),
    ("context", &["actor", "ids", "policy", "primitives"]),
    ("permit", &["actor"]),
    ("ledger", &["actor", "context", "ids", "policy", "primitives", "rejection"]),
    (
        "wallet",
        &["actor", "alert", "context", "ids", "ledger", "permit", "policy", "primitives", "rejection"],
    ),
    ("payments", &["actor", "alert", "context", "ids", "ledger", "policy", "primitives", "rejection"]),
    (
        "budget",
        &["actor", "alert", "context", "ids", "ledger", "permit", "policy", "primitives", "rejection"],
    ),
    (
        "giftcard",
        &["actor", "alert", "budget", "context", "ids", "ledger", "policy", "primitives", "rejection"],
    ),
    ("loyalty", &["actor", "context", "ids", "ledger", "permit", "primitives", "rejection"]),
    (
        "rewards",
        &["actor", "context", "ids", "ledger", "loyalty", "permit", "primitives", "rejection", "wallet"],
    ),
    ("vouchers", &["actor", "context", "giftcard", "ids", "ledger", "loyalty", "primitives", "rejection"]),
    ("jobs", &["actor", "budget", "ids", "ledger", "loyalty", "permit", "primitives", "rejection", "wallet"]),
    ("audit", &["budget", "giftcard", "ids", "ledger", "payments", "primitives", "rewards", "wallet"]),
];

const STORE: Areas = &[
    ("keys", &[]),
    ("engine", &["keys"]),
    ("ledger", &["engine", "keys"]),
    ("alerts", &["engine", "keys"]),
    ("wallet", &["engine", "keys", "ledger"]),
    ("payments", &["alerts", "engine", "keys", "ledger"]),
    ("budgets", &["engine", "keys"]),
    ("loyalty", &["engine", "keys", "ledger", "wallet"]),
    ("rewards", &["engine", "keys", "ledger", "loyalty", "wallet"]),
    ("giftcards", &["budgets", "engine", "keys"]),
    ("vouchers", &["engine", "giftcards", "keys", "ledger", "loyalty"]),
    ("jobs", &["engine", "keys"]),
    (
        "audit",
        &[
            "budgets",
            "engine",
            "giftcards",
            "keys",
            "ledger",
            "loyalty",
            "payments",
            "rewards",
            "vouchers",
            "wallet",
        ],
    ),
];

/// Returns the areas that a source file names as `crate::…`, in `use` items and in paths that are written
/// out. Comments are ignored.
fn named_areas(source: &str) -> Vec<String> {
    paths(source).into_iter().map(|path| path.into_iter().next().unwrap()).collect()
}

/// Returns the paths that a source file names from its crate's root, in `use` items and written out. A `use`
/// group yields one path for each of its items.
fn paths(source: &str) -> Vec<Vec<String>> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = code.join("\n");
    let mut found = vec![];
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$') {
            walk(&code[at + "crate::".len()..], &mut vec![], &mut found);
        }
    }
    found
}

/// Reads `a::{b, c::d}` into its paths and returns the text after it.
fn walk<'a>(text: &'a str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches([',', ' ', '\n']);
            if rest.is_empty() {
                return rest;
            }
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let depth = path.len();
            let after = walk(rest, path, found);
            path.truncate(depth);
            rest = if after.len() < rest.len() { after } else { &rest[1..] };
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    if end == 0 {
        return text;
    }
    path.push(text[..end].to_owned());
    match text[end..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '{') => {
            walk(rest, path, found)
        }
        Some(_) | None => {
            found.push(path.clone());
            &text[end..]
        }
    }
}

/// Returns the area of a name at a crate's root; `domain` re-exports modules of some areas there.
fn area_of(name: &str) -> &str {
    match name {
        "currency" | "fingerprint" | "hash" | "money" | "month" | "parse" | "text" | "time" | "unit" => {
            "primitives"
        }
        "cause" => "ids",
        other => other,
    }
}

#[test]
fn areas_of_the_domain_and_the_store_import_only_the_areas_below_them() {
    for (root_of, areas) in [("shared/domain/src", DOMAIN), ("shared/store/src", STORE)] {
        let mut found = vec![];
        files(&root().join(root_of), ".rs", &mut found);
        for file in found {
            let place = file.strip_prefix(root().join(root_of)).unwrap().to_str().unwrap().to_owned();
            let own = place.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            if own == "lib" {
                continue;
            }
            let allowed = areas.iter().find(|(area, _)| *area == own);
            let (_, allowed) = allowed.unwrap_or_else(|| panic!("{root_of}: {own} is not listed"));
            for name in named_areas(&read_to_string(&file).unwrap()) {
                let area = area_of(&name);
                assert!(area == own || allowed.contains(&area), "{root_of}/{place} imports {name}");
            }
        }
    }
}

#[test]
fn a_path_that_is_spelled_out_is_seen() {
    let source = "use crate::{ledger, wallet::x};\nfn f() { crate::payments::g() } // crate::budget\nlet a = mycrate::b;";
    assert_eq!(named_areas(source), ["ledger", "wallet", "payments"]);
    let nested = "use crate::a::{b::{c, d}, e};";
    let found: Vec<String> = paths(nested).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::b::c", "a::b::d", "a::e"]);
}

/// Returns every file of a crate by its module path: `ledger::audit` is `ledger/audit/mod.rs`.
fn modules(crate_root: &Path) -> BTreeMap<Vec<String>, String> {
    let mut found = vec![];
    files(crate_root, ".rs", &mut found);
    let module = |file: &Path| {
        let place =
            file.strip_prefix(crate_root).unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let mut path: Vec<String> = place.split('/').map(str::to_owned).collect();
        if ["mod", "lib", "main"].contains(&path.last().unwrap().as_str()) {
            path.pop();
        }
        (path, place)
    };
    found.iter().filter(|file| !file.ends_with("main.rs")).map(|file| module(file)).collect()
}

/// Returns, for each file of a crate, the files of the same crate that it names. A path resolves to the
/// deepest module in it.
fn imports(crate_root: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules(crate_root);
    let source = |path: &Vec<String>| {
        let place = &modules[path];
        read_to_string(crate_root.join(format!("{place}.rs"))).unwrap()
    };
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, place) in &modules {
        let above = module.split_last().map(|(_, above)| above.join("::")).unwrap_or_default();
        let above = if above.is_empty() { "crate::".to_owned() } else { format!("crate::{above}::") };
        let text = source(module).replace("super::", &above);
        let named = edges.entry(place.clone()).or_default();
        for path in paths(&text) {
            let deepest = (0..=path.len()).rev().find_map(|end| modules.get(&path[..end]));
            // The crate root only declares and re-exports modules.
            named.extend(deepest.filter(|other| *other != place && *other != "lib").cloned());
        }
    }
    edges
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut roots: Vec<PathBuf> = ["domain", "store", "edge", "gateways", "vault", "issuing"]
        .map(|name| root().join("shared").join(name).join("src"))
        .to_vec();
    roots.push(root().join("infra/local/src"));
    let functions = std::fs::read_dir(root().join("functions")).unwrap();
    roots.extend(functions.map(|function| function.unwrap().path().join("src")));
    for crate_root in roots {
        let edges = imports(&crate_root);
        for start in edges.keys() {
            // No file that this one imports, directly or not, may import it.
            let (mut seen, mut next) = (BTreeSet::new(), edges[start].iter().collect::<Vec<_>>());
            while let Some(file) = next.pop() {
                assert_ne!(file, start, "{}: {start} is part of an import cycle", crate_root.display());
                if seen.insert(file) {
                    next.extend(&edges[file]);
                }
            }
        }
    }
}
