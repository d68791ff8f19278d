//! The rules of this repository, as far as a test can check them.
//!
//! Not here: whether a comment is worth reading. That is for reviewers.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use corecast_tests::binary;

/// Folders with nothing of ours in them.
const FOREIGN: [&str; 5] = ["target", "node_modules", "dist", "corpus", "artifacts"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in the workspace").to_owned()
}

/// Every file below `folder` that is ours, sorted.
fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if path.is_dir() {
            if !FOREIGN.contains(&name) && !name.starts_with('.') {
                files.append(&mut files_below(&path));
            }
        } else {
            files.insert(path);
        }
    }
    files
}

fn rust_files() -> Vec<(PathBuf, String)> {
    let is_rust = |path: &PathBuf| path.extension() == Some(OsStr::new("rs"));
    let files: Vec<_> =
        files_below(&root()).into_iter().filter(is_rust).map(|p| (p.clone(), read(&p))).collect();
    assert!(files.len() > 20, "the walk found only {} files", files.len());
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A path as a reader of the failure wants it.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Code without comments and without the insides of string literals on one line: enough to look for words in it.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().map(|(index, line)| {
        let mut parts = line.split('"');
        let outside: Vec<&str> = std::iter::from_fn(|| {
            let part = parts.next();
            parts.next();
            part
        })
        .collect();
        let code = outside.join("\"\"");
        (index + 1, code.split("//").next().unwrap_or_default().to_owned())
    })
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = rust_files()
        .iter()
        .filter(|(_, text)| {
            let (before, rest) = text.split_once("//").unwrap_or((text, ""));
            let only_attributes = before.is_empty() || (before.starts_with("#![") && before.ends_with("]\n"));
            !only_attributes
                || !rest.lines().next().is_some_and(|line| line.starts_with("! ") && line.len() > 8)
        })
        .map(|(path, _)| shown(path))
        .collect();
    assert_eq!(silent, [""; 0], "these files do not open with `//!` and a sentence");
}

#[test]
fn unsafe_is_fenced_into_one_crate() {
    let ring = root().join("ring");
    for (path, text) in rust_files().iter().filter(|(path, _)| !path.starts_with(&ring)) {
        for (line, code) in code_lines(text) {
            assert!(!has_word(&code, "unsafe"), "{}:{line}: unsafe outside of ring/", shown(path));
        }
    }
    for (path, text) in rust_files() {
        if is_crate_root(&path) && !path.starts_with(&ring) {
            assert!(text.contains("#![forbid(unsafe_code)]"), "{} does not forbid unsafe code", shown(&path));
        }
    }
}

/// Roots of libraries and binaries. Tests and examples are covered by the search for the word.
fn is_crate_root(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let parent = path.parent().expect("a file is in a folder");
    parent.ends_with("src/bin") || (parent.ends_with("src") && ["lib.rs", "main.rs"].contains(&name))
}

#[test]
fn nothing_is_left_unfinished() {
    for (path, text) in rust_files() {
        for (line, code) in code_lines(&text) {
            for word in ["dbg!(", "todo!(", "unimplemented!(", "#[ignore"] {
                assert!(!code.contains(word), "{}:{line}: {word}", shown(&path));
            }
        }
        for (index, line) in text.lines().enumerate() {
            for word in [concat!("TO", "DO"), concat!("FIX", "ME")] {
                assert!(!has_word(line, word), "{}:{}: {word}", shown(&path), index + 1);
            }
        }
    }
}

#[test]
fn no_file_is_dead() {
    for (path, _) in rust_files() {
        let mut parts = path.components().rev().skip(1);
        let is_source = parts.any(|part| part.as_os_str() == "src");
        if is_source && !is_crate_root(&path) {
            let (parents, module) = parents_of(&path);
            let is_declared = parents.iter().filter(|p| p.exists()).any(|p| declares(&read(p), &module));
            assert!(is_declared, "no `mod {module};` leads to {}", shown(&path));
        }
    }
}

/// The files that may declare the module in `path`, and its name.
fn parents_of(path: &Path) -> (Vec<PathBuf>, String) {
    let folder = path.parent().expect("a file is in a folder");
    let stem = |p: &Path| p.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let (module, home) = match stem(path).as_str() {
        "mod" => (stem(folder), folder.parent().expect("src is in a crate").to_owned()),
        name => (name.to_owned(), folder.to_owned()),
    };
    let parents = ["mod.rs", "lib.rs", "main.rs"].map(|name| home.join(name));
    (parents.into_iter().chain([home.with_extension("rs")]).collect(), module)
}

fn declares(text: &str, module: &str) -> bool {
    code_lines(text).any(|(_, code)| {
        let declaration = code.trim().strip_suffix(';').and_then(|c| c.rsplit_once("mod "));
        declaration.is_some_and(|(_, name)| name == module)
    })
}

/// Rooms of the server that know each other in a circle, as threads that hand each other work through queues.
const CIRCLE: [&str; 3] = ["log", "sequencer", "shard"];

#[test]
fn rooms_of_the_server_do_not_import_each_other() {
    let imports = imports_of_rooms(&root().join("server/src"));
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|room| (&**room, reachable_from(room, &imports))).collect();
    let in_circles: Vec<&str> =
        reached.keys().filter(|room| reached[*room].contains(*room)).copied().collect();
    assert_eq!(in_circles, CIRCLE, "rooms that can be reached from themselves by imports, of {imports:#?}");
}

/// Which rooms each room names in its code. A room is a folder or a file right below `src`.
fn imports_of_rooms(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files_below(src).iter().filter(|path| !is_crate_root(path)) {
        let below = path.strip_prefix(src).expect("it was found there").with_extension("");
        let room = below.iter().next().and_then(OsStr::to_str).expect("a name in ASCII").to_owned();
        let named = imports.entry(room.clone()).or_default();
        for (line, code) in code_lines(&read(path)) {
            for rest in code.split("crate::").skip(1) {
                let other = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                assert!(!other.is_empty(), "{}:{line}: name one room at a time", shown(path));
                if other != room {
                    named.insert(other.to_owned());
                }
            }
        }
    }
    assert!(imports.len() > 10, "the walk found only {} rooms", imports.len());
    imports
}

/// All rooms that `room` imports, or that these import, and so on.
fn reachable_from<'a>(room: &str, imports: &'a BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![room];
    while let Some(room) = open.pop() {
        let named = imports.get(room).into_iter().flatten();
        open.extend(named.filter(|named| reached.insert(&***named)).map(|named| &**named));
    }
    reached
}

#[test]
fn scripts_can_be_run_and_say_what_they_do() {
    let mut scripts = files_below(&root().join("scripts"));
    scripts.insert(root().join(".ci/run"));
    for script in scripts.iter().filter(|s| s.extension().is_none()) {
        let mode =
            fs::metadata(script).unwrap_or_else(|e| panic!("{}: {e}", shown(script))).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{} cannot be run", shown(script));
        let text = read(script);
        let mut lines = text.lines();
        assert!(lines.next().is_some_and(|l| l.starts_with("#!/")), "{} has no interpreter", shown(script));
        assert!(
            lines.next().is_some_and(|l| l.starts_with("# ")),
            "{} does not say what it does",
            shown(script)
        );
    }
}

#[test]
fn commands_in_the_readme_exist() {
    let readme = read(&root().join("README.md"));
    let help = Command::new(binary::corecast()).arg("--help").output().expect("the binary runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let mut is_code = false;
    let mut found = 0;
    for line in readme.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            let words: Vec<&str> = line.split_whitespace().collect();
            for pair in words.windows(2).filter(|pair| pair[0].ends_with("corecast")) {
                let is_known = help.lines().any(|l| l.split_whitespace().next() == Some(pair[1]));
                assert!(is_known || pair[1].starts_with('-'), "README.md: `corecast {}` is unknown", pair[1]);
                found += 1;
            }
        }
    }
    for script in readme.split(|c: char| c.is_whitespace() || "`()\"'".contains(c)) {
        if let Some(path) = script.strip_prefix("./").or(Some(script)).filter(|p| p.starts_with("scripts/")) {
            assert!(root().join(path).exists(), "README.md names {path}, which does not exist");
            found += 1;
        }
    }
    assert!(found > 0, "README.md shows no command");
}

#[test]
fn the_lock_file_of_the_clients_names_no_registry() {
    let lock = read(&root().join("tests/clients/package-lock.json"));
    assert!(
        !lock.contains("\"resolved\""),
        "npm has written where packages came from; see tests/clients/.npmrc"
    );
}
