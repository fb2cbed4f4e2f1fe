//! Headless Chromium: a page of it, looked at and used as a person would.
//!
//! Spoken to in its DevTools protocol (CDP 1.3) over two pipes, so that no port is open and no
//! driver needed.

mod wire;

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use wire::Wire;

/// One page in a browser of its own; both are gone with this value.
#[derive(Debug)]
pub struct Page {
    wire: Wire,
}

impl Page {
    /// Starts a browser and has it load `url`.
    ///
    /// Panics when there is no Chromium, or when it does not answer in time.
    pub async fn open(url: &str) -> Self {
        let mut page = Self { wire: Wire::start().await };
        page.wire.call("Page.enable", json!({})).await;
        let navigated = page.wire.call("Page.navigate", json!({ "url": url })).await;
        assert_eq!(navigated["errorText"], Value::Null, "{url}");
        page.wire.event("Page.loadEventFired").await;
        page
    }

    /// The value of a JavaScript expression; a promise is awaited.
    ///
    /// Panics with what it throws.
    pub async fn evaluate(&mut self, script: &str) -> Value {
        let how = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let mut outcome = self.wire.call("Runtime.evaluate", how).await;
        let thrown = &outcome["exceptionDetails"];
        assert!(thrown.is_null(), "{script}: {thrown:#}");
        outcome["result"]["value"].take()
    }

    /// Waits until a JavaScript expression is true.
    pub async fn until(&mut self, condition: &str) {
        let script = format!(
            "new Promise((resolve) => {{
                const look = () => ({condition}) ? resolve() : requestAnimationFrame(look);
                look();
            }})"
        );
        self.evaluate(&script).await;
    }

    /// Clicks into the middle of the first element that `selector` finds, once it is there.
    pub async fn click(&mut self, selector: &str) {
        let element = format!("document.querySelector({})", json!(selector));
        self.until(&format!("{element} !== null")).await;
        let script = format!(
            "(() => {{
                const element = {element};
                element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = element.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"
        );
        let place = self.evaluate(&script).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1,
            });
            self.wire.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Clicks into a field and writes `text` in place of what it holds.
    pub async fn write(&mut self, selector: &str, text: &str) {
        self.click(selector).await;
        self.evaluate("document.activeElement.select()").await;
        self.wire.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Keeps a picture of the whole page, as PNG.
    pub async fn screenshot(&mut self, path: &Path) {
        let how = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.wire.call("Page.captureScreenshot", how).await;
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().expect("a picture"));
        std::fs::write(path, bytes.expect("base64")).expect("the folder can be written to");
    }
}
