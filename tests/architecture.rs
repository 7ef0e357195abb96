//! Dependencies point one way: between the crates, and between the modules of each crate.
//!
//! Read from the sources themselves: every path that product code names, test code left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// The crates, each above those that it may use.
const CRATES: [(&str, &[&str]); 6] = [
    ("cli", &["service", "lab", "proof", "runtime", "log"]),
    ("service", &["proof", "runtime", "log"]),
    ("lab", &["proof", "runtime", "log"]),
    ("proof", &["runtime", "log"]),
    ("runtime", &["log"]),
    ("log", &[]),
];

fn host() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host")
}

#[test]
fn each_crate_depends_on_those_below_it_and_no_other() {
    for (name, below) in CRATES {
        let manifest = fs::read_to_string(host().join(name).join("Cargo.toml")).unwrap();
        let used: BTreeSet<&str> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("keyhole-")?.split_once('.').map(|(used, _)| used))
            .collect();
        let strays: Vec<_> = used.iter().filter(|used| !below.contains(used)).collect();
        assert!(strays.is_empty(), "keyhole-{name} depends on {strays:?}");
    }
}

#[test]
fn the_crate_of_the_log_links_no_engine() {
    let lock = fs::read_to_string(host().join("../Cargo.lock")).unwrap();
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let name = package.split_once("name = \"").unwrap().1.split_once('"').unwrap().0;
        let needs =
            package.split_once("dependencies = [").map_or("", |(_, rest)| rest.split(']').next().unwrap());
        let needs = needs.split('"').skip(1).step_by(2).map(|need| need.split(' ').next().unwrap());
        packages.entry(name).or_default().extend(needs);
    }
    let (mut met, mut left) = (BTreeSet::new(), vec!["keyhole-log"]);
    while let Some(name) = left.pop() {
        if met.insert(name) {
            left.extend(packages.get(name).into_iter().flatten());
        }
    }
    assert!(met.contains("rusqlite"), "the walk through Cargo.lock went astray: {met:?}");
    assert!(!met.iter().any(|name| name.contains("wasmtime") || name.contains("cranelift")), "{met:?}");
}

#[test]
fn no_modules_of_a_crate_form_a_cycle() {
    for (name, _) in CRATES {
        let modules = Modules::of(&host().join(name).join("src"));
        assert!(modules.paths.len() > 1, "keyhole-{name}: no modules were read");
        for (parent, edges) in &modules.edges {
            if let Some(cycle) = cycle(edges) {
                panic!("keyhole-{name}: below {}: {}", shown(parent), cycle.join(" -> "));
            }
        }
    }
}

#[test]
fn the_order_in_each_lib_rs_is_the_order_of_dependencies() {
    for (name, _) in CRATES {
        let source = host().join(name).join("src");
        let order: Vec<String> = submodules(&source.join("lib.rs"));
        let modules = Modules::of(&source);
        for (from, uses) in modules.edges.get(&Vec::new()).into_iter().flatten() {
            for to in uses {
                let place = |module: &String| order.iter().position(|listed| listed == module);
                assert!(
                    place(from) < place(to),
                    "keyhole-{name}: {from} uses {to}, which lib.rs lists before it"
                );
            }
        }
    }
}

#[test]
fn a_cycle_is_found() {
    let edges = |pairs: &[(&str, &str)]| {
        let mut edges: Edges = BTreeMap::new();
        for (from, to) in pairs {
            edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        edges
    };
    assert!(cycle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])).is_none());
    assert_eq!(cycle(&edges(&[("a", "b"), ("b", "c"), ("c", "b")])).unwrap(), ["b", "c", "b"]);
}

#[test]
fn paths_are_read_wherever_they_stand_and_test_code_is_not() {
    let source = "use crate::a::{self, b::C}; fn f() -> crate::d::E { super::g::h!(); macro_rules(crate::i) }
        #[cfg(test)] mod tests { use crate::j; } fn k() { println!(\"{}\", crate::l::M); }";
    let mut found = Paths::default();
    found.visit_file(&syn::parse_file(source).unwrap());
    let found: BTreeSet<String> = found.0.iter().map(|path| path.join("::")).collect();
    for path in ["crate::a", "crate::a::b::C", "crate::d::E", "super::g::h", "crate::i", "crate::l::M"] {
        assert!(found.contains(path), "{path} in {found:?}");
    }
    assert!(!found.iter().any(|path| path.contains("crate::j")));
}

/// Which module uses which, among those of one parent.
type Edges = BTreeMap<String, BTreeSet<String>>;

/// The modules of a crate, and for each parent the edges among its children.
struct Modules {
    paths: BTreeSet<Vec<String>>,
    edges: BTreeMap<Vec<String>, Edges>,
}

impl Modules {
    fn of(source: &Path) -> Self {
        let mut files = Vec::new();
        collect(&source.join("lib.rs"), source, Vec::new(), &mut files);
        let paths: BTreeSet<Vec<String>> = files.iter().map(|(path, _)| path.clone()).collect();
        let mut modules = Self { paths, edges: BTreeMap::new() };
        for (from, file) in &files {
            let mut used = Paths::default();
            used.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
            for path in used.0 {
                if let Some(to) = modules.resolve(from, &path) {
                    modules.add(from, &to);
                }
            }
        }
        modules
    }

    /// The module that a path in the module `from` lies in, if it is one of this crate.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => from.split_last()?.1.to_vec(),
            child => {
                let mut below = from.to_vec();
                below.push(child.to_owned());
                return self.paths.contains(&below).then_some(below);
            }
        };
        for step in &path[1..] {
            if step == "super" {
                at.pop();
                continue;
            }
            at.push(step.clone());
            if !self.paths.contains(&at) {
                at.pop();
                break;
            }
        }
        Some(at)
    }

    /// Enters the use where the two modules' ways part: a parent and its child are one module.
    fn add(&mut self, from: &[String], to: &[String]) {
        let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        if let (Some(user), Some(used)) = (from.get(shared), to.get(shared)) {
            let edges = self.edges.entry(from[..shared].to_vec()).or_default();
            edges.entry(user.clone()).or_default().insert(used.clone());
        }
    }
}

/// The files of a module and of those below it, test modules left out.
fn collect(file: &Path, folder: &Path, path: Vec<String>, files: &mut Vec<(Vec<String>, PathBuf)>) {
    for name in submodules(file) {
        let (flat, nested) = (folder.join(format!("{name}.rs")), folder.join(&name));
        let file = if flat.exists() { flat } else { nested.join("mod.rs") };
        let mut below = path.clone();
        below.push(name);
        collect(&file, &nested, below, files);
    }
    files.push((path, file.to_owned()));
}

/// The names of the modules that a file declares, in their order.
fn submodules(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let items = syn::parse_file(&text).unwrap().items.into_iter();
    items
        .filter_map(|item| match item {
            syn::Item::Mod(module) if module.content.is_none() && !is_test(&module.attrs) => {
                Some(module.ident.to_string())
            }
            _ => None,
        })
        .collect()
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && quote::quote!(#attribute).to_string().contains("test")
    })
}

/// Every path of a file, test code left out; of a `use`, one for each name.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn tree(&mut self, mut path: Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.tree(path, &step.tree);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(path.clone(), tree));
            }
            syn::UseTree::Name(name) if name.ident == "self" => self.0.push(path),
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                path.push(ident.to_string());
                self.0.push(path);
            }
            syn::UseTree::Glob(_) => self.0.push(path),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.tree(Vec::new(), &item.tree);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// A macro's arguments are not parsed: the paths in them are read from the tokens.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        visit::visit_macro(self, call);
        let tokens = call.tokens.to_string().replace(" :: ", "::").replace(":: ", "::");
        let words =
            tokens.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
        let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
        self.0.extend(paths.map(|path| path.split("::").map(str::to_owned).collect()));
    }
}

/// One cycle, from a module back to itself, if there is any.
fn cycle(edges: &Edges) -> Option<Vec<String>> {
    fn walk(
        at: &str,
        edges: &Edges,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(begin) = way.iter().position(|module| module == at) {
            let mut found = way[begin..].to_vec();
            found.push(at.to_owned());
            return Some(found);
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        let found = edges.get(at).into_iter().flatten().find_map(|next| walk(next, edges, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|module| walk(module, edges, &mut Vec::new(), &mut done))
}

fn shown(path: &[String]) -> String {
    if path.is_empty() { "lib.rs".to_owned() } else { path.join("::") }
}
