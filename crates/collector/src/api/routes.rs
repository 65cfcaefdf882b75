//! All addresses under `/api/v1`, each with its handler and what the OpenAPI document tells of it.

use axum::http::Method;

use super::openapi::{Routes, Told, examples};
use super::{
    audit, bundles, decisions, endpoints, fields, health, labels, nodes, noise, notes, pseudonym, queries, requests,
    sessions, stats, stream,
};
use crate::noise::Rules;

/// The addresses but for exports, which are made of these.
pub(super) fn routes() -> Routes {
    kept(decided(noted(seen(Routes::new()))))
}

/// Sessions, requests, and the server itself.
fn seen(routes: Routes) -> Routes {
    routes
        .get(
            "/sessions",
            sessions::list,
            Told::of("Parts of sessions, the last seen first")
                .parameters(sessions::LISTED)
                .answers(sessions::Sessions::example()),
        )
        .get(
            "/sessions/count",
            sessions::count,
            Told::of("How many parts the list of sessions has")
                .parameters(sessions::COUNTED)
                .answers(sessions::Count::example()),
        )
        .get(
            "/sessions/{id}",
            sessions::one,
            Told::of("One session: its parts, the newest first")
                .parameters(&["day"])
                .answers(sessions::Session::example())
                .problems(&[404, 410]),
        )
        .get(
            "/sessions/{id}/related",
            sessions::related,
            Told::of("Sessions that share a user or an address with it")
                .parameters(&["page_size"])
                .answers(sessions::RelatedSessions::example())
                .problems(&[404]),
        )
        .get(
            "/sessions/{id}/requests",
            requests::of_session,
            Told::of("Requests of a session, in the order in which they began")
                .parameters(requests::OF_SESSION)
                .answers(requests::Requests::example())
                .problems(&[404, 410]),
        )
        .get(
            "/sessions/{id}/requests/count",
            requests::count_of_session,
            Told::of("How many requests the list of a session has")
                .parameters(requests::COUNTED_OF_SESSION)
                .answers(sessions::Count::example())
                .problems(&[404, 410]),
        )
        .get(
            "/requests",
            requests::list,
            Told::of("Requests of all sessions, the last first, or with order_by=arrival as they arrive")
                .parameters(requests::LISTED)
                .answers(requests::Requests::example()),
        )
        .get(
            "/requests/count",
            requests::count,
            Told::of("How many requests the list has")
                .parameters(requests::COUNTED)
                .answers(sessions::Count::example()),
        )
        .get(
            "/requests/{id}",
            requests::one,
            Told::of("One request").answers(examples::request()).problems(&[404, 410]),
        )
        .get(
            "/stats",
            stats::of_all,
            Told::of("Requests counted by what they have in common, and in steps of time")
                .parameters(stats::PARAMETERS)
                .answers(stats::Stats::example()),
        )
        .get(
            "/sessions/{id}/stats",
            stats::of_session,
            Told::of("Requests of a session counted by what they have in common, and in steps of time")
                .parameters(stats::PARAMETERS)
                .answers(stats::Stats::example())
                .problems(&[404]),
        )
        .get(
            "/stream",
            stream::stream,
            Told::of("Requests of all sessions from now on, as server-sent events")
                .parameters(&["filter", "noise"])
                .answers_text("text/event-stream", "event: request\ndata: {\"id\":\"...\"}\n\n"),
        )
        .get(
            "/fields",
            fields::list,
            Told::of("What filters can ask for; with values, one field and its commonest values")
                .parameters(&["from", "to", "values", "timeout", "query_id"])
                .answers(fields::Fields::example()),
        )
        .get(
            "/queries",
            queries::list,
            Told::of("Questions under way, with how far they are").answers(queries::ToldQueries::example()),
        )
        .get(
            "/queries/{query_id}",
            queries::one,
            Told::of("How far a question is").answers(queries::ToldQuery::example()).problems(&[404]),
        )
        .add(
            Method::DELETE,
            "/queries/{query_id}",
            queries::cancel,
            Told::of("Cancels a question, which is answered with a problem that says so")
                .succeeds(&[204])
                .problems(&[404]),
        )
        .get("/nodes", nodes::list, Told::of("What nodes tell of themselves").answers(nodes::Nodes::example()))
        .get("/healthz", health::healthz, Told::of("200 while the process works").answers(health::Health::ok()))
        .get(
            "/readyz",
            health::readyz,
            Told::of("200 when the server should get work; runs a query").answers(health::Health::ready()),
        )
        .get(
            "/metrics",
            health::metrics,
            Told::of("Numbers for Prometheus").answers_text("text/plain", "# TYPE api_sessions_events_total counter\n"),
        )
}

/// What people add.
fn noted(routes: Routes) -> Routes {
    let (put, delete) = (Method::PUT, Method::DELETE);
    let of = |summary| Told::of(summary).problems(&[404, 410]);
    let notes = || of("Notes, the oldest first").answers(notes::Notes::example());
    let note = || of("Writes a note").takes(notes::NewNote::example()).answers(notes::note()).succeeds(&[201]);
    let labels = || of("Labels").answers(labels::Labels::example());
    let label = || of("A label, if it is there").answers(labels::label());
    let give = || of("Gives a label; 204 when it is there already").succeeds(&[201, 204]);
    let take = || of("Takes a label away").succeeds(&[204]);
    routes
        .get("/sessions/{id}/notes", notes::of_session, notes())
        .add(Method::POST, "/sessions/{id}/notes", notes::add_to_session, note())
        .get("/sessions/{id}/labels", labels::of_session, labels())
        .get("/sessions/{id}/labels/{label}", labels::one_of_session, label())
        .add(put.clone(), "/sessions/{id}/labels/{label}", labels::add_to_session, give())
        .add(delete.clone(), "/sessions/{id}/labels/{label}", labels::remove_from_session, take())
        .get("/requests/{id}/notes", notes::of_request, notes())
        .add(Method::POST, "/requests/{id}/notes", notes::add_to_request, note())
        .get("/requests/{id}/labels", labels::of_request, labels())
        .get("/requests/{id}/labels/{label}", labels::one_of_request, label())
        .add(put, "/requests/{id}/labels/{label}", labels::add_to_request, give())
        .add(delete.clone(), "/requests/{id}/labels/{label}", labels::remove_from_request, take())
        .add(delete, "/notes/{id}", notes::remove, of("Removes a note").succeeds(&[204]))
        .get("/labels", labels::all, Told::of("All labels in use").answers(labels::AllLabels::example()))
        .get(
            "/audit",
            audit::list,
            Told::of("Who changed what, the newest first")
                .parameters(&["page_size", "page_token"])
                .answers(audit::Audit::example()),
        )
}

/// Endpoints and noise, and what people decide about them.
fn decided(routes: Routes) -> Routes {
    let (put, post, delete) = (Method::PUT, Method::POST, Method::DELETE);
    let rules = |summary| Told::of(summary).answers(Rules::default());
    let undo = |summary| Told::of(summary).succeeds(&[204]).problems(&[404]);
    routes
        .get(
            "/endpoints",
            endpoints::list,
            Told::of("Endpoints with their figures, the busiest first")
                .parameters(&["from", "to", "day", "page_size", "page_token", "order_by"])
                .answers(endpoints::Endpoints::example()),
        )
        .get("/endpoints/pins", decisions::pins, Told::of("Pinned templates").answers(decisions::Pins::example()))
        .add(
            post.clone(),
            "/endpoints/pins",
            decisions::pin,
            Told::of("Pins a template of a host")
                .takes(decisions::NewPin::example())
                .answers(decisions::pin_example())
                .succeeds(&[201]),
        )
        .add(delete.clone(), "/endpoints/pins/{number}", decisions::unpin, undo("Undoes a pin"))
        .get("/endpoints/merges", decisions::merges, Told::of("Merged endpoints").answers(decisions::Merges::example()))
        .add(
            post,
            "/endpoints/merges",
            decisions::merge,
            Told::of("Calls an endpoint by the name of another")
                .takes(decisions::NewMerge::example())
                .answers(decisions::merge_example())
                .succeeds(&[201]),
        )
        .add(delete.clone(), "/endpoints/merges/{number}", decisions::unmerge, undo("Undoes a merge"))
        .get("/noise", noise::rules, rules("The rules of noise in force"))
        .add(
            put,
            "/noise",
            noise::replace,
            rules("Replaces the rules, for what comes from now on").takes(Rules::default()),
        )
        .add(delete, "/noise", noise::reset, rules("Goes back to the rules that the server came with"))
}

/// What outlives the week, and how somebody is found.
fn kept(routes: Routes) -> Routes {
    routes
        .add(
            Method::POST,
            "/sessions/{id}/bundles",
            bundles::make,
            Told::of("Makes an evidence bundle of a session as it is now")
                .answers(bundles::example())
                .succeeds(&[201])
                .problems(&[404]),
        )
        .get(
            "/bundles",
            bundles::all,
            Told::of("Evidence bundles, the newest first").answers(bundles::Bundles::example()),
        )
        .get(
            "/bundles/{bundle}",
            bundles::content,
            Told::of("A bundle: {id}.html is a page to read, {id}.ndjson an archive for programs")
                .answers_text("text/html", "<!DOCTYPE html>")
                .problems(&[404]),
        )
        .add(
            Method::DELETE,
            "/bundles/{bundle}",
            bundles::remove,
            Told::of("Removes a bundle").succeeds(&[204]).problems(&[404]),
        )
        .add(
            Method::POST,
            "/pseudonym",
            pseudonym::find,
            Told::of("Sessions by a value of which only the pseudonym is stored")
                .takes(pseudonym::Asked::example())
                .answers(pseudonym::Found::example())
                .problems(&[429]),
        )
}
