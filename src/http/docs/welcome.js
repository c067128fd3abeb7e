// Greets a newcomer above the operations: four steps, ticked off as they are done. Folded, it stays folded.

import { forget } from "./credentials.js";
import { findOperation } from "./operations.js";

const FOLDED = "welcome-folded";
const CREDENTIALS = ["clientId", "clientSecret", "bearer"];

function open(system, operationId) {
  const { tag } = findOperation(system, operationId);
  system.layoutActions.show(["operations-tag", tag], true);
  system.layoutActions.show(["operations", tag, operationId], true);
  const element = () => document.getElementById(`operations-${tag}-${operationId}`);
  // After the tag, if it was folded, is drawn.
  requestAnimationFrame(() => {
    element()?.scrollIntoView({ block: "start" });
    element()?.querySelector("button")?.focus({ preventScroll: true });
  });
}

function answered({ specSelectors }, operation) {
  return operation && specSelectors.responseFor(operation.path, operation.method)?.get("ok") === true;
}

export const welcome = () => ({
  wrapComponents: {
    InfoContainer: (Original, system) => {
      const h = system.React.createElement;
      const code = (text) => h("code", null, text);
      const link = (operationId) => {
        const operation = findOperation(system, operationId);
        if (!operation) return code(operationId);
        const onClick = (event) => {
          event.preventDefault();
          open(system, operationId);
        };
        return h("a", { href: `#/${operation.tag}/${operationId}`, onClick }, operationId);
      };

      function Welcome() {
        const has = (name) => system.authSelectors.authorized()?.has(name) ?? false;
        const hasClient = has("clientId") && has("clientSecret");
        const step = (done, name, ...text) =>
          h("li", { className: done ? "done" : undefined }, h("strong", null, name), done && h("span", null, " ✓"), ": ", ...text);
        const onForget = () => forget(system, CREDENTIALS);
        const onToggle = ({ currentTarget }) => localStorage.setItem(FOLDED, currentTarget.open ? "" : "yes");
        return h(
          "details",
          { className: "welcome", open: localStorage.getItem(FOLDED) !== "yes", onToggle },
          h("summary", null, "New here? Four steps to your first call"),
          h(
            "ol",
            null,
            step(hasClient, "Sign up", "open ", link("signup"), " and press Execute."),
            step(hasClient, "Authorise", "nothing to do: the client that sign-up gave is now behind the Authorize button."),
            step(has("bearer"), "Log in", "open ", link("login"), " and press Execute. The access token joins the client."),
            step(answered(system, findOperation(system, "getProfile")), "Call", link("getProfile"), " and all the others answer you now."),
          ),
          h(
            "p",
            null,
            "This page keeps the three credentials in this browser’s local storage, so that they are still there when you load it again. To forget them, press Logout behind Authorize, or ",
            h("button", { type: "button", onClick: onForget, disabled: !CREDENTIALS.some(has) }, "forget them all"),
            ".",
          ),
        );
      }
      return (props) => h("div", null, h(Original, props), h(Welcome));
    },
  },
});
