"use strict";

// Scalar reads its whole configuration here, because the page's policy forbids inline scripts. What could talk
// to the outside (fonts, telemetry, proxies, assistants, sharing) is off; the policy would block it anyway.
(() => {
  const target = document.getElementById("docs");
  Scalar.createApiReference(target, {
    url: target.dataset.openapi,
    authentication: { preferredSecurityScheme: target.dataset.securityScheme },
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
