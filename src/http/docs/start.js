import { accessible, dialog } from "/docs/accessible.js";
import { credentials } from "/docs/credentials.js";
import { welcome } from "/docs/welcome.js";

SwaggerUIBundle({
  dom_id: "#ui",
  url: "/openapi.json",
  plugins: [accessible, dialog, credentials, welcome],
  deepLinking: true,
  displayRequestDuration: true,
  // The three credentials stay behind "Authorize" when the page is loaded again, in the browser's local storage.
  persistAuthorization: true,
  // The schemas below the operations, folded.
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
});
