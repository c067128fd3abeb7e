// Swagger UI for those who use the keyboard or hear the page: names for what it leaves nameless, and a dialog that says
// that it is one.

/** The elements of a component, by selector, that get a name. */
const NAMES = {
  ExamplesSelect: ["select", "Example"],
  HighlightCode: [".copy-to-clipboard button", "Copy"],
  RequestBodyEditor: ["textarea", "Request body"],
  Servers: ["select", "Server"],
  authorizationPopup: [".close-modal", "Close"],
  curl: [".copy-to-clipboard button", "Copy"],
};

function named(Original, React, [selector, name]) {
  return function Named(props) {
    const box = React.useRef(null);
    React.useEffect(() => {
      for (const element of box.current.querySelectorAll(selector)) element.setAttribute("aria-label", name);
    });
    return React.createElement("div", { className: "named", ref: box }, React.createElement(Original, props));
  };
}

/** Takes the focus, keeps it, closes on Escape and gives the focus back. */
function modal(Original, React, close) {
  return function Modal(props) {
    const box = React.useRef(null);
    React.useEffect(() => {
      const before = document.activeElement;
      const onKeyDown = (event) => {
        if (event.key === "Escape") close();
        if (event.key !== "Tab") return;
        const stops = [...box.current.querySelectorAll("a[href], button, input")];
        const [next, edge] = event.shiftKey ? [stops.at(-1), stops[0]] : [stops[0], stops.at(-1)];
        // A field that was just authorised is gone, and the focus with it.
        if (document.activeElement === edge || !box.current.contains(document.activeElement)) {
          event.preventDefault();
          next.focus();
        }
      };
      box.current.querySelector("input, .modal-ux-content button").focus();
      document.addEventListener("keydown", onKeyDown);
      return () => {
        document.removeEventListener("keydown", onKeyDown);
        before?.focus();
      };
    }, []);
    const about = { role: "dialog", "aria-modal": true, "aria-label": "Available authorizations" };
    return React.createElement("div", { ...about, ref: box }, React.createElement(Original, props));
  };
}

export const accessible = () => ({
  wrapComponents: {
    ...Object.fromEntries(
      Object.entries(NAMES).map(([component, what]) => [
        component,
        (Original, { React }) => named(Original, React, what),
      ]),
    ),
    // "Authorize" and "Logout" are read out as what they say, not as "Apply credentials" and "Remove authorization".
    Button: (Original, { React }) => ({ "aria-label": _, ...props }) => React.createElement(Original, props),
  },
});

export const dialog = () => ({
  wrapComponents: {
    authorizationPopup: (Original, { React, authActions }) =>
      modal(Original, React, () => authActions.showDefinitions(false)),
  },
});
