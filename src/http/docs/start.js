SwaggerUIBundle({
  dom_id: "#ui",
  url: "/openapi.json",
  deepLinking: true,
  displayRequestDuration: true,
  // The three credentials stay where "Authorize" put them when the page is loaded again.
  persistAuthorization: true,
  // The schemas below the operations, folded.
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
});
