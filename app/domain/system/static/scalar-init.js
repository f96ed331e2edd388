"use strict";

// Scalar reads its whole configuration here, because the page's policy forbids inline scripts. What could talk
// to the outside (fonts, telemetry, proxies, assistants, sharing) is off; the policy would block it anyway.
(() => {
  const target = document.getElementById("docs");
  Scalar.createApiReference(target, {
    url: target.dataset.openapi,
    authentication: { preferredSecurityScheme: target.dataset.securityScheme },
    // Of the password form: user name and password. The service ignores a client's id and secret, and there are no scopes.
    customCss:
      'tr:has([data-placeholder$="/token"]), tr:has([data-placeholder="janedoe"]) ~ ' +
      'tr:not(:has([placeholder="********"]), :last-child) { display: none !important; }',
    metaData: { title: document.title },
    withDefaultFonts: false,
    telemetry: false,
    persistAuth: false,
    hideClientButton: true,
    showDeveloperTools: "never",
    documentDownloadType: "json",
    agent: { disabled: true },
    mcp: { disabled: true },
  });
})();
