//! The loop that people love: something arrives, they see it, open it, replay it, and see what came of that.

use serde_json::{Value, json};

use crate::{application, browser, server::Dev};

fn dev() -> (Dev, Value) {
    let application = application::start(|_| (200, b"taken".to_vec()));
    let dev = Dev::start(&["--forward-to", &format!("http://{application}/hooks")]);
    let extra = json!({ "command": dev.command(), "ingress": format!("http://{}", dev.ingress) });
    (dev, extra)
}

#[test]
fn the_whole_loop_by_mouse() {
    let (dev, extra) = dev();
    let report = browser::run("mouse.js", dev.admin, extra);
    assert_eq!(report["welcome"], "Nothing has arrived yet");
    assert_eq!(report["arrived"], "post.create");
    assert_eq!(report["opened"], "post.create");
    assert_eq!(report["proved"], "Signature matches");
    assert_eq!(report["said"], "Replay is on its way: a new delivery of the stored bytes, due now.");
    assert_eq!(report["attempts"], json!(["answered 200", "answered 200"]));
    assert_eq!(report["theme"], json!(["auto", "dark"]));
    assert_eq!(report["hex"], true);
    assert_eq!(report["copied"].as_str().map(|line| line.starts_with("curl -X POST ")), Some(true));
}

#[test]
fn the_whole_loop_by_keyboard() {
    let (dev, extra) = dev();
    let report = browser::run("keyboard.js", dev.admin, extra);
    assert_eq!(report["first"], "message.received", "j goes to the newest");
    assert_eq!(report["second"], "post.create", "j goes on");
    assert_eq!(report["opened"], "post.create", "Enter opens");
    assert_eq!(report["focused"], "Replay", "r goes to the button");
    assert_eq!(report["attempts"], json!(["answered 200", "answered 200"]), "Enter replays");
    assert_eq!(report["help"], true, "? lists the keys");
    assert_eq!(report["closing"], json!(["keys-on", "q"]), "a key right behind the help counts");
    assert_eq!(report["searched"], json!(["message.received"]), "/ searches");
    assert_eq!(report["went"], "/deliveries", "g d goes to the deliveries");
    assert_eq!(report["off"], true, "keys can be turned off");
}

#[test]
fn nine_tabs_are_live_although_a_browser_has_six_connections() {
    let (dev, extra) = dev();
    let report = browser::run("tabs.js", dev.admin, extra);
    assert_eq!(report["counts"], json!([2, 2, 2, 2, 2, 2, 2, 2]));
}
