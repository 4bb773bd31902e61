//! The routes of the template lead where the local platform leads, with the same authorization.

use regex_lite::Regex;
use scrip::functions::serving;
use serde_json::Value;
use std::fs::read_to_string;
use tests::World;
use tests::process::root;

/// A route of the template.
#[derive(Debug)]
struct Route {
    function: String,
    method: String,
    path: String,
    open: bool,
}

fn routes() -> Vec<Route> {
    let template = read_to_string(root().join("infra/template.yaml")).unwrap();
    let name = Regex::new(r#"FunctionName: !Sub "\$\{AWS::StackName\}-([a-z-]+)""#).unwrap();
    let route = Regex::new(r#"ApiId: !Ref Api, Path: "?([^",]+)"?, Method: (\w+)(.*)\}"#).unwrap();
    let mut function = String::new();
    let mut routes = vec![];
    for line in template.lines() {
        if let Some(found) = name.captures(line) {
            function = found[1].to_owned();
        } else if let Some(found) = route.captures(line) {
            let (path, method) = (found[1].to_owned(), found[2].to_owned());
            routes.push(Route { function: function.clone(), method, path, open: found[3].contains("NONE") });
        }
    }
    routes
}

impl Route {
    /// Returns how specific its match is: for each segment, 0 for the same text, 1 for a variable, 2 for the
    /// rest of the path. None if the request does not match.
    fn matches(&self, method: &str, path: &str) -> Option<Vec<u8>> {
        if self.method != "ANY" && !self.method.eq_ignore_ascii_case(method) {
            return None;
        }
        let mut specific = vec![];
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(specific),
                (Some(pattern), Some(_)) if pattern.ends_with("+}") => {
                    specific.push(2);
                    return Some(specific);
                }
                (Some(pattern), Some(segment)) if pattern == segment => specific.push(0),
                (Some(pattern), Some(_)) if pattern.starts_with('{') => specific.push(1),
                _ => return None,
            }
        }
    }
}

#[tokio::test]
async fn every_operation_of_the_api_document_is_routed_as_on_the_local_platform() {
    let document: Value =
        serde_json::from_str(&read_to_string(root().join("infra/openapi.json")).unwrap()).unwrap();
    let functions = World::new().await.parts.functions();
    let routes = routes();
    let mut used = vec![false; routes.len()];
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            // A variable of the document is a segment of a request.
            let request = path.replace(['{', '}'], "");
            let found = routes.iter().enumerate();
            let found = found.filter_map(|(at, route)| Some((route.matches(method, &request)?, at)));
            let (_, at) = found.min().unwrap_or_else(|| panic!("no route for {method} {path}"));
            used[at] = true;
            let route = &routes[at];
            let local = serving(&functions, &request).unwrap();
            assert_eq!(route.function, local.name, "{method} {path}");
            let open = operation["security"] == serde_json::json!([{}]);
            assert_eq!(route.open, open, "{method} {path}");
        }
    }
    let unused: Vec<&Route> = routes
        .iter()
        .zip(used)
        .filter(|(route, used)| !used && route.path != "/health")
        .map(|(route, _)| route)
        .collect();
    assert!(unused.is_empty(), "the document has no operation for {unused:?}");
}
