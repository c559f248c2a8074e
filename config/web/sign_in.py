"""How people sign in: django-axes limits passwords, and django-allauth does the rest."""

from typing import Any

APPS = [
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
]
SETTINGS: dict[str, Any] = {
    "AUTH_PASSWORD_VALIDATORS": [
        {"NAME": f"django.contrib.auth.password_validation.{name}"}
        for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
    ],
    "AUTHENTICATION_BACKENDS": [
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    "AXES_HANDLER": "tenants.sign_in.SignInLimits",
    "AXES_FAILURE_LIMIT": 1,  # the handler has limits of its own, and tells axes only whether one is reached
    "AXES_CLIENT_IP_CALLABLE": "tenants.sign_in.client_ip",
    "AXES_COOLOFF_TIME": 0.25,  # hours
    "AXES_LOCKOUT_PARAMETERS": [["username", "ip_address"]],  # what a successful sign-in resets
    "AXES_RESET_ON_SUCCESS": True,
    "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT": False,
    "AXES_LOCKOUT_TEMPLATE": "lockout.html",
    "AXES_VERBOSE": False,
    "LOGIN_URL": "admin:login",
    "LOGIN_REDIRECT_URL": "home",
    # allauth counts attempts in the cache.
    "CACHES": {"default": {"BACKEND": "accounts.cache.SharedCache", "LOCATION": "cache_entries"}},
    "ACCOUNT_ADAPTER": "accounts.adapters.AccountAdapter",
    "ACCOUNT_LOGIN_METHODS": {"username"},
    "ACCOUNT_SIGNUP_FIELDS": ["username*", "password1*", "password2*"],
    # User.email is a confirmed address already: see ADR 0012.
    "ACCOUNT_EMAIL_VERIFICATION": "none",
    "MFA_ALLOW_UNVERIFIED_EMAIL": True,
    "ACCOUNT_LOGOUT_REDIRECT_URL": "admin:login",
    "ACCOUNT_REAUTHENTICATION_TIMEOUT": 300,
    # Second factors, for someone who knows the password. Passwords have the limits of axes as well.
    "ACCOUNT_RATE_LIMITS": {"login_failed": "20/m/ip,5/15m/key,30/d/key"},
    "MFA_ADAPTER": "accounts.adapters.MfaAdapter",
    "MFA_SUPPORTED_TYPES": ["totp", "webauthn", "recovery_codes"],
    "MFA_PASSKEY_LOGIN_ENABLED": True,
    "MFA_TOTP_ISSUER": "Parley",
    "MFA_TOTP_TOLERANCE": 1,  # clocks may differ by 30 seconds
    "MFA_FORMS": {
        "activate_totp": "accounts.forms.ActivateTOTPForm",
        "add_webauthn": "accounts.forms.AddWebAuthnForm",
    },
    "SOCIALACCOUNT_ADAPTER": "accounts.adapters.SocialAdapter",
    # A link instead of a form: the policy `form-action 'self'` stops a form that redirects to the provider.
    "SOCIALACCOUNT_LOGIN_ON_GET": True,
}
