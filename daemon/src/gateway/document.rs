//! The OpenAPI document, completed: what every route can answer besides, and how a caller says who it is.
//!
//! A handler documents what it does itself; what the edge in front of it does stands here once, by the table of `authz`.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{
        Content, OpenApi, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        response::Response,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::authz::{self, Rule, Who};

/// The scheme's name in the document.
const TOKEN: &str = "token";
/// RFC 9457.
const PROBLEM: &str = "application/problem+json";

/// The edge's answers to everybody.
const ALWAYS: &[(&str, &str)] = &[
    ("429", "Too many requests; Retry-After says when to try again"),
    ("503", "Nothing happened: something is not available"),
];
/// Its answers where a caller is known.
const SIGNED_IN: &[(&str, &str)] = &[
    ("400", "The request is not understood"),
    ("401", "No token, or one that is not taken; WWW-Authenticate says why, and where to sign in"),
    ("403", "The caller may not do this"),
    ("500", "A fault in walletd, or a damaged store"),
];
/// Its answers to a body.
const WITH_BODY: &[(&str, &str)] = &[
    ("408", "The body came too slowly"),
    ("413", "The body is too large"),
    ("504", "The answer was lost: ask again with the same key"),
];

/// What a handler answers where what the path or the body names is not there.
pub(super) struct NotFound;

impl IntoResponses for NotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[("404", "What is named is not there")])
    }
}

/// What a handler that writes answers when it does not.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("409", "The key was used for something else, or what is named is not in a state for this"),
            ("422", "Understood, and refused by a rule; the code says which"),
            ("507", "The disk is full: nothing happened"),
        ])
    }
}

/// The whole document.
pub(super) fn completed(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(operation, authz::rule(method, path));
        }
    }
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "An access token of the issuer that /.well-known/oauth-protected-resource names. Not needed on the socket.",
        ))
        .build();
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert(TOKEN.into(), SecurityScheme::Http(token).into());
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let all = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

fn complete(operation: &mut Operation, rule: Option<&Rule>) {
    for response in operation.responses.responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
        if let RefOr::T(response) = response.1
            && let Some(body) = response.content.shift_remove("application/json")
        {
            response.content.insert(PROBLEM.into(), body);
        }
    }
    let open = rule.is_some_and(|rule| rule.who == Who::Everybody);
    let writes = rule.is_some_and(|rule| rule.method != "GET");
    let besides = ALWAYS.iter().chain(SIGNED_IN.iter().filter(|_| !open)).chain(WITH_BODY.iter().filter(|_| writes));
    for (status, description) in besides {
        let known = &mut operation.responses.responses;
        known.entry((*status).to_owned()).or_insert_with(|| problem(description).into());
    }
    if !open {
        operation.security = Some(vec![SecurityRequirement::new(TOKEN, [] as [&str; 0])]);
    }
}

fn problems(answers: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    answers.iter().map(|(status, description)| ((*status).to_owned(), problem(description).into())).collect()
}

fn problem(description: &str) -> Response {
    let body = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(description).content(PROBLEM, body).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_says_what_a_refused_caller_is_told() {
        let mut document = super::super::openapi();
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                let has = |status: &str| operation.responses.responses.contains_key(status);
                let open = authz::rule(method, path).unwrap().who == Who::Everybody;
                assert!(has("429") && has("503"), "{method} {path}");
                assert_eq!(has("401"), !open, "{method} {path}");
                assert_eq!(operation.security.is_some(), !open, "{method} {path}");
            }
        }
    }

    #[test]
    fn a_problem_is_always_a_problem() {
        let json = serde_json::to_value(super::super::openapi()).unwrap();
        for (path, item) in json["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let kinds = response["content"].as_object().unwrap();
                    let problem = kinds.keys().all(|kind| kind == PROBLEM);
                    assert_eq!(problem, status.as_str() >= "400", "{path} {status}");
                }
            }
        }
    }
}
