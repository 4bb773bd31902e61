//! Checks of the language: words that have a plainer replacement, and the shape of the documents.

use crate::tidy::files;
use std::fs::read_to_string;
use std::path::PathBuf;
use tests::process::root;

/// Words that no source or document contains, also as a part of an identifier.
const BANNED_WORDS: [&str; 4] = ["told", "whoever", "himself", "herself"];

/// Phrases that no source or document contains.
const BANNED_PHRASES: [&str; 5] =
    ["comes to", "came to", "as it must be", "what became of", "first designed"];

/// Type names that do not say what the type is.
const BANNED_NAMES: [&str; 16] = [
    "Told", "Telling", "Come", "Stray", "Wish", "Desk", "Whole", "Party", "Effort", "Patience", "Trouble",
    "Lead", "Asked", "Naming", "Begun", "Look",
];

/// The files that the checks read: sources and documents, but not this one.
fn texts() -> Vec<PathBuf> {
    let mut found = vec![];
    for ending in [".rs", ".md", ".py", ".sh", ".yaml"] {
        files(&root(), ending, &mut found);
    }
    found.retain(|file| !file.ends_with("tests/wording.rs"));
    found
}

/// A line without quoted single words, such as the name of a stored attribute.
fn without_stored_words(line: &str) -> String {
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    ['"', '`'].into_iter().fold(line.to_owned(), |line, quote| {
        let parts: Vec<&str> = line.split(quote).collect();
        let kept =
            parts.iter().enumerate().map(|(at, part)| if at % 2 == 1 && is_word(part) { "" } else { part });
        kept.collect::<Vec<_>>().join(&quote.to_string())
    })
}

/// What is banned and occurs in a text, each with its line.
fn banned(text: &str, is_source: bool) -> Vec<(usize, &'static str)> {
    let mut found = vec![];
    for (at, line) in text.lines().enumerate() {
        let line = without_stored_words(line);
        let code = line.split("//").next().unwrap();
        let names: Vec<&str> = code.split(|c: char| !c.is_alphanumeric()).collect();
        if is_source {
            found.extend(BANNED_NAMES.iter().filter(|name| names.contains(name)).map(|name| (at + 1, *name)));
        }
        let line = line.to_lowercase();
        let words: Vec<&str> = line.split(|c: char| !c.is_alphabetic()).collect();
        found.extend(BANNED_WORDS.iter().filter(|word| words.contains(word)).map(|word| (at + 1, *word)));
        found.extend(BANNED_PHRASES.iter().filter(|phrase| line.contains(*phrase)).map(|p| (at + 1, *p)));
    }
    found
}

#[test]
fn sources_and_documents_use_the_fields_words() {
    let found = texts().into_iter().map(|file| {
        let is_source = file.extension().is_some_and(|extension| extension == "rs");
        (banned(&read_to_string(&file).unwrap(), is_source), file)
    });
    let found: Vec<_> = found.filter(|(words, _)| !words.is_empty()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_banned_word_is_found_in_comments_names_and_texts_but_not_as_a_stored_word() {
    assert_eq!(
        banned("// who is told\nfn f_told() { panic!(\"it comes to nothing\") }", true),
        [(1, "told"), (2, "told"), (2, "comes to")]
    );
    assert_eq!(banned("reader.map(\"told\")\nstruct Desk;", true), [(2, "Desk")]);
}

#[test]
fn documents_are_short_enough_to_read_and_to_edit() {
    let mut documents = vec![];
    files(&root(), ".md", &mut documents);
    for document in documents {
        let text = read_to_string(&document).unwrap();
        let mut in_code = false;
        for (at, line) in text.lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            assert!(
                in_code || line.chars().count() <= 120,
                "{}:{} is longer than 120 characters",
                document.display(),
                at + 1
            );
        }
    }
    for (document, most) in [("README.md", 130), ("ARCHITECTURE.md", 190)] {
        let lines = read_to_string(root().join(document)).unwrap().lines().count();
        assert!(lines <= most, "{document} has {lines} lines");
    }
}

#[test]
fn the_glossary_has_at_most_fifteen_terms() {
    let architecture = read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let glossary = architecture.split("\n## Glossary\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let terms = glossary.lines().filter(|line| line.starts_with("| ")).count() - 1;
    assert!((10..=15).contains(&terms), "{terms}");
}
