#!/usr/bin/env bash
# Installs Parley with PostgreSQL and Caddy on Debian 12 or 13 or Ubuntu 24.04, from the folder it's in. Run it again to
# upgrade: sudo ops/install.sh parley.example.com
set -euo pipefail
umask 022
source=$(realpath "$(dirname "$0")/..")
host=${1:-}
release=/opt/parley/releases/$(date --utc +%Y%m%d-%H%M%S)
settings=/etc/parley/parley.env
has_systemd() { [ -d /run/systemd/system ]; }
step() { printf '%4d s  %s\n' "$SECONDS" "$1"; }
fail() { echo "$1" >&2; exit 1; }

[ "$(id --user)" = 0 ] || fail "Run it as root: sudo $0 $host"
[ -n "$host" ] || fail "Say under which name Parley will be reached: $0 parley.example.com"
command -v apt-get >/dev/null || fail "This script is for Debian and Ubuntu. docs/deployment.md says how to install by hand."

step "Installing packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
log=$(mktemp)
apt-get install --quiet --yes --no-install-recommends ca-certificates python3-venv postgresql caddy >"$log" 2>&1 ||
  { cat "$log"; fail "The packages couldn't be installed."; }
rm "$log"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$(python3 --version) is too old: Parley needs 3.11."
pg_isready --quiet || service postgresql start >/dev/null

step "Installing Parley into $release"
getent passwd parley >/dev/null || useradd --system --home-dir /var/lib/parley --shell /usr/sbin/nologin parley
install --directory --owner parley --group parley --mode 0700 /var/lib/parley /var/lib/parley/media
install --directory --mode 0755 "$release"
tar --create --directory "$source" --exclude './.*' --exclude ./bench --exclude ./docs --exclude tests \
  --exclude __pycache__ --exclude ./staticfiles . | tar --extract --directory "$release" --no-same-owner
python3 -m venv "$release/.venv"
"$release/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$release/requirements.lock"
# The settings are made up: the files don't depend on them.
(cd "$release" && env ENV_FILE= SECRET_KEY=build FIELD_ENCRYPTION_KEYS=YnVpbGQtYnVpbGQtYnVpbGQtYnVpbGQtYnVpbGQtYnU= \
  WHATSAPP_APP_SECRET=build WHATSAPP_VERIFY_TOKEN=build DATABASE_URL=postgres://build \
  .venv/bin/python manage.py collectstatic --noinput --verbosity 0)
install --mode 0755 "$release/ops/parley" /usr/local/sbin/parley

step "Preparing the database"
install --directory --mode 0700 /etc/parley
[ -e "$settings" ] || python3 "$release/ops/new_env.py" "$host" --to "$settings"
# Without the line, the database is another one, which you look after.
if password=$(grep --only-matching --perl-regexp '^POSTGRES_PASSWORD=\K[0-9a-f]+' "$settings"); then
  (cd / && runuser --user postgres -- psql --quiet --set ON_ERROR_STOP=1) <<SQL
SELECT 'CREATE ROLE parley LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley') \gexec
ALTER ROLE parley PASSWORD '$password';
SELECT 'CREATE ROLE parley_scoped' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_scoped') \gexec
GRANT parley_scoped TO parley;
SELECT 'CREATE DATABASE parley OWNER parley' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'parley') \gexec
REVOKE ALL ON DATABASE parley FROM PUBLIC;
SQL
fi
PARLEY_RELEASE=$release DATABASE_STATEMENT_SECONDS=0 /usr/local/sbin/parley migrate --noinput --verbosity 0

step "Starting it"
ln --symbolic --force --no-dereference "$release" /opt/parley/current.new
mv --no-target-directory /opt/parley/current.new /opt/parley/current
install --mode 0644 "$release"/ops/systemd/* /etc/systemd/system/
sed "s/{\$PARLEY_HOST}/$host/" "$release/ops/Caddyfile" >/etc/caddy/parley.caddy
grep --quiet parley.caddy /etc/caddy/Caddyfile || echo "import /etc/caddy/parley.caddy" >>/etc/caddy/Caddyfile
units=(parley-web.socket parley-web.service parley-worker@1.service parley-backup.timer)
if has_systemd; then
  systemctl daemon-reload
  systemctl enable --quiet --now "${units[@]}"
  # The port stays open meanwhile.
  systemctl restart parley-web.service 'parley-worker@*'
  systemctl reload-or-restart caddy
else
  systemctl enable --quiet "${units[@]}"
  echo "       systemd isn't running, so nothing was started."
fi
# The release from before stays, for a way back.
find /opt/parley/releases -mindepth 1 -maxdepth 1 | sort | head --lines -2 | xargs --no-run-if-empty rm -rf

step "Parley is installed"
cat <<END
  Settings    $settings: put in your Meta app's secret and your model's key, then: systemctl restart parley-web 'parley-worker@*'
  First user  sudo parley createsuperuser
  Sign in     https://$host/admin/
  Check it    sudo parley doctor
END
