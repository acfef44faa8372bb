//! `/api/v1`: a file for each noun, and the document that describes them.
//!
//! A handler and its entry in the document are one item: `routes!` takes both, so neither is there without the other.
//! What every answer has in common, [`document`] adds.

mod config;
mod deliveries;
mod destinations;
pub(super) mod document;
mod events;
mod refusals;
mod replays;
mod sources;
mod status;
mod store;
mod tokens;
mod tools;

use std::sync::Arc;

use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::{Json, Router};
use hookhouse_core::store::Page;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{self, Scope, login};
use super::problem::Problem;
use super::view::List;
use super::{AdminState, cursors, idempotency, stream};

pub(crate) use events::tell;

type Answer<T> = Result<Json<T>, Problem>;
type Admin = State<Arc<AdminState>>;

/// The most entries of a page.
pub(crate) const MAX_PAGE: usize = 1_000;
/// The entries of a page unless asked otherwise.
const PAGE: usize = 50;

/// The routes of the API, by what they ask for.
pub(super) struct Routes {
    read: Router<Arc<AdminState>>,
    write: Router<Arc<AdminState>>,
    admin: Router<Arc<AdminState>>,
    /// Logging in and out.
    open: Router<Arc<AdminState>>,
}

/// Every route, and the document that describes them.
pub(super) fn described() -> (Routes, OpenApi) {
    let mut document = document::begin();
    let mut scoped = |router: OpenApiRouter<_>, scope| {
        let (router, operations) = router.split_for_parts();
        document::add(&mut document, operations, scope);
        router
    };
    let (read, write, admin) =
        (scoped(read(), Scope::Read), scoped(write(), Scope::Write), scoped(admin(), Scope::Admin));
    let open = OpenApiRouter::new().routes(routes!(login::login)).routes(routes!(login::logout));
    let (open, operations) = open.split_for_parts();
    document::add_open(&mut document, operations);
    document::finish(&mut document);
    (Routes { read, write, admin, open }, document)
}

impl Routes {
    /// Puts in front of each route what it asks for.
    pub(super) fn guarded(self, state: &Arc<AdminState>) -> Router<Arc<AdminState>> {
        let demand = |scope| from_fn_with_state(scope, access::demand);
        let once = from_fn_with_state(Arc::clone(state), idempotency::once);
        let api = Router::new()
            .merge(self.read.route_layer(demand(Scope::Read)))
            .merge(self.write.route_layer(once).route_layer(demand(Scope::Write)))
            .merge(self.admin.route_layer(demand(Scope::Admin)))
            .route_layer(from_fn_with_state(Arc::clone(state), access::authenticate));
        Router::new().nest("/api/v1", api).merge(self.open)
    }
}

fn read() -> OpenApiRouter<Arc<AdminState>> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(store::stats))
        .routes(routes!(events::list))
        .routes(routes!(events::find))
        .routes(routes!(events::raw))
        .routes(routes!(events::attempts))
        .routes(routes!(refusals::list))
        .routes(routes!(refusals::find))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::find))
        .routes(routes!(deliveries::attempts))
        .routes(routes!(deliveries::edit))
        .routes(routes!(sources::list))
        .routes(routes!(sources::find))
        .routes(routes!(destinations::list))
        .routes(routes!(destinations::find))
        .routes(routes!(replays::list))
        .routes(routes!(replays::find))
        .routes(routes!(cursors::list))
        .routes(routes!(cursors::find, cursors::set, cursors::forget))
        .routes(routes!(tools::explain))
        .routes(routes!(tools::verify))
        .routes(routes!(stream::stream))
}

fn write() -> OpenApiRouter<Arc<AdminState>> {
    OpenApiRouter::new()
        .routes(routes!(events::replay))
        .routes(routes!(deliveries::retry))
        .routes(routes!(deliveries::cancel))
        .routes(routes!(destinations::pause))
        .routes(routes!(destinations::resume))
        .routes(routes!(replays::order))
        .routes(routes!(replays::cancel))
}

fn admin() -> OpenApiRouter<Arc<AdminState>> {
    OpenApiRouter::new()
        .routes(routes!(config::effective))
        .routes(routes!(config::check))
        .routes(routes!(config::reload))
        .routes(routes!(tools::sign))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
}

fn list<T>(page: Page<T>) -> List<T> {
    List { data: page.items, next_cursor: page.next }
}

/// How many entries a page has.
fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(PAGE).clamp(1, MAX_PAGE)
}
