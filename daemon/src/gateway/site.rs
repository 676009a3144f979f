//! What connections bring their requests to: the router, and beside it the few writes that nearly all load consists of.
//!
//! A router hands a request on through a box and a copy of itself a layer, and handlers find what they need piece by
//! piece: fair for a hundred routes, and a tenth of what a transfer costs. Deposits, withdrawals and transfers are told by
//! their whole path instead, pass the same edge and end in the same functions; everything else about these paths, another
//! method for instance, is the router's. Costs: one box a request.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, FromRequestParts as _, Request},
    http::Method,
    response::{IntoResponse as _, Response},
};
use tower::ServiceExt as _;
use wallet_api::{
    problem::Problem,
    types::{DryRun, Op},
};

use super::{
    Answers, Services,
    context::Context,
    edge::{Behind, Edge},
    endpoints::money::{self, Made},
    extract::{self, Params},
    fault::Fault,
    router,
    source::Source,
};

/// Everything that can be asked for.
#[derive(Clone)]
pub struct Site {
    router: Router,
    direct: Option<Arc<Direct>>,
}

/// What the writes need that are not looked up in the router.
struct Direct {
    edge: Edge,
    services: Services,
    body_limit: usize,
}

impl Site {
    /// The API, or what is about the daemon itself.
    pub fn new(services: Services, edge: Edge, body_limit: usize, answers: Answers) -> Self {
        let direct = Direct { edge: edge.clone(), services: services.clone(), body_limit };
        let direct = (answers == Answers::Everything).then(|| Arc::new(direct));
        Self { router: router(services, edge, body_limit, answers), direct }
    }

    /// The answer to a request.
    pub async fn answer(&self, source: Source, mut request: Request) -> Response {
        let asked = (request.method() == Method::POST).then(|| money::at(request.uri().path())).flatten();
        if let Some((direct, (op, route))) = self.direct.as_ref().zip(asked) {
            let write = Write { direct, op };
            return Box::pin(direct.edge.pass(source, Some(route), request, write)).await;
        }
        request.extensions_mut().insert(ConnectInfo(source));
        let answered: Result<Response, Infallible> = self.router.clone().oneshot(request).await;
        match answered {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl From<Router> for Site {
    fn from(router: Router) -> Self {
        Self { router, direct: None }
    }
}

/// A write that moves money.
struct Write<'a> {
    direct: &'a Direct,
    op: Op,
}

impl Write<'_> {
    async fn made(&self, request: Request, context: Option<Context>) -> Result<Made, Fault> {
        let context = context.ok_or_else(|| Problem::new("internal", "no caller"))?;
        let (mut parts, body) = request.into_parts();
        let how = match parts.uri.query() {
            None => DryRun::default(),
            Some(_) => Params::from_request_parts(&mut parts, &()).await?.0,
        };
        extract::is_json(&parts.headers)?;
        let body = extract::decoded(&extract::whole(body, self.direct.body_limit).await?)?;
        money::run(&self.direct.services, &context, self.op, how, body).await
    }
}

impl Behind for Write<'_> {
    async fn answer(self, request: Request, context: Option<Context>) -> Response {
        self.made(request, context).await.into_response()
    }
}
