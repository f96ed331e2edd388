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
  // The dialog for signing in begins with the password form: Swagger UI puts OAuth2 below all other schemes, and above
  // it a text about scopes. There are none.
  const style = document.createElement("style");
  style.textContent =
    ".modal-ux-content > .auth-container { display: flex; flex-direction: column-reverse; } .scope-def { display: none; }";
  document.head.append(style);
  // Each scheme's form takes the focus when it appears, and the last one, which is below, would win.
  target.addEventListener("click", (event) => {
    if (event.target.closest(".authorize, .authorization__btn")) {
      setTimeout(() => document.getElementById("oauth_username")?.focus());
    }
  });
})();
