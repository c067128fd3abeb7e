import { accessible, dialog } from "./accessible.js";
import { credentials } from "./credentials.js";
import { welcome } from "./welcome.js";

SwaggerUIBundle({
  dom_id: "#ui",
  url: new URL("../openapi.json", import.meta.url).href,
  plugins: [accessible, dialog, credentials, welcome],
  deepLinking: true,
  displayRequestDuration: true,
  // The three credentials stay behind "Authorize" when the page is loaded again, in the browser's local storage.
  persistAuthorization: true,
  // The schemas below the operations, folded.
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
});
