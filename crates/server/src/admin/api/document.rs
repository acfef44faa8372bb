//! The OpenAPI document: what the handlers say of themselves, and what every answer has in common.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr,
    Response, ResponseBuilder, SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};

use crate::admin::access::Scope;
use crate::admin::problem::Problem;

/// Where the API is.
const PREFIX: &str = "/api/v1";

const ABOUT: &str = "\
The admin API of Hookhouse. Errors are `application/problem+json` (RFC 9457). Lists are read page by page: pass \
`next_cursor` as `cursor`, until there is none; what is added meanwhile does not move a page. A parameter that is not \
listed is an error. A write with an `Idempotency-Key` is done once: sent again within a day, it is answered as before.";

/// A document without operations.
pub(super) fn begin() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Hookhouse admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(License::new("MIT OR Apache-2.0")));
    let mut components = Components::new();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token in the store's folder, or one that was made"))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let cookie = ApiKeyValue::with_description(
        "hookhouse",
        "A session that `/login` began; `__Host-hookhouse` over TLS",
    );
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Adds operations that ask for a scope.
pub(super) fn add(document: &mut OpenApi, mut operations: OpenApi, scope: Scope) {
    for operation in operations.paths.paths.values_mut().flat_map(each) {
        let asks = format!("Asks for the scope `{scope}`.");
        operation.description = Some(match operation.description.take().filter(|text| !text.is_empty()) {
            Some(text) => format!("{text}\n\n{asks}"),
            None => asks,
        });
        let by = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
        operation.security = Some(vec![by("bearer"), by("session")]);
        let mut unauthorized = problem("No token that counts, and no session");
        let header =
            HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
        unauthorized.headers.insert("WWW-Authenticate".to_owned(), header.into());
        respond(operation, "401", unauthorized);
        respond(operation, "403", problem("The token has not the scope, or another site's page sent this"));
        if scope == Scope::Write {
            let key = ParameterBuilder::new()
                .name("Idempotency-Key")
                .parameter_in(ParameterIn::Header)
                .description(Some("A text of the caller's: with it, this is done once"))
                .schema(Some(
                    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,255}$")).build(),
                ))
                .build();
            operation.parameters.get_or_insert_default().push(key.into());
            respond(operation, "409", problem("It cannot be done as things stand, or is under way"));
            respond(operation, "422", problem("The key was used with another request"));
        }
    }
    let compose = |prefix: &str, path: &str| format!("{prefix}{path}");
    let nested = OpenApiBuilder::new().build().nest_with_path_composer(PREFIX, operations, compose);
    document.merge(nested);
}

/// Adds operations that anybody may ask for.
pub(super) fn add_open(document: &mut OpenApi, mut operations: OpenApi) {
    for operation in operations.paths.paths.values_mut().flat_map(each) {
        operation.security = Some(vec![SecurityRequirement::default()]);
        respond(operation, "403", problem("Another site's page sent this"));
        if operation.request_body.is_some() {
            respond(operation, "400", problem("There is no token in it"));
            // A form is answered with the form again.
            for status in ["400", "401", "429"] {
                if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
                    let page = ObjectBuilder::new().schema_type(Type::String).build();
                    let page = ContentBuilder::new().schema(Some(page)).build();
                    response.content.insert("text/html".to_owned(), page.into());
                }
            }
        }
    }
    document.merge(operations);
}

/// Adds what every operation may answer.
pub(super) fn finish(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let by_name = path.contains('{');
        for operation in each(item) {
            let tag = operation.tags.as_ref().and_then(|tags| tags.first()).cloned().unwrap_or_default();
            let name = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(format!("{tag}_{name}"));
            respond(operation, "400", problem("The request makes no sense"));
            if by_name {
                respond(operation, "404", problem("There is none"));
            }
            if operation.request_body.is_some() {
                respond(operation, "408", problem("The body did not arrive in time"));
                respond(operation, "409", problem("It cannot be done as things stand"));
                respond(operation, "413", problem("The body is too long"));
                respond(operation, "415", problem("The body is no JSON"));
            }
            respond(operation, "421", problem("This `Host` is not served"));
            respond(operation, "500", problem("Something failed that is not the caller's fault"));
            respond(operation, "503", problem("The store does not answer, or too much is going on"));
        }
    }
}

/// Says what a status means, unless the operation does.
fn respond(operation: &mut Operation, status: &str, response: Response) {
    operation.responses.responses.entry(status.to_owned()).or_insert(response.into());
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}

fn each(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}
