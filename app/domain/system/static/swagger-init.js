"use strict";

// The validator badge and configuration from the query string would let others see or choose the document.
(() => {
  const target = document.getElementById("docs");
  SwaggerUIBundle({
    domNode: target,
    url: target.dataset.openapi,
    validatorUrl: null,
    queryConfigEnabled: false,
    persistAuthorization: false,
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
})();
