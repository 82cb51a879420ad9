"""Settings of the REST API: nothing here depends on the environment."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "wallets.api.authentication.BearerAuthentication",
        "wallets.api.authentication.SameOriginAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["keeptrusts.lib.rest.throttling.CallerThrottle"],
    "DEFAULT_PARSER_CLASSES": ["keeptrusts.lib.rest.jsonbody.ExactJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["keeptrusts.lib.rest.jsonbody.ExactJSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "keeptrusts.lib.rest.jsonbody.AlwaysJSON",
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "keeptrusts.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Keeptrusts API",
    "DESCRIPTION": (
        "Wallets, keys, prices, events and usage of an LLM gateway that pays every call from a "
        "prepaid wallet. Amounts are exact US dollars as JSON numbers with up to nine decimals."
    ),
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "OrganizationRole": "wallets.models.Membership.Role",
        "TeamRole": "wallets.models.TeamMembership.Role",
        "WalletScope": "wallets.models.Wallet.Scope",
        "StopScope": "wallets.models.Stop.Scope",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "keeptrusts.api.openapi.add_errors",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "tryItOutEnabled": True},
}
