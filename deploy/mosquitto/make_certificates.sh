#!/bin/sh
# A certificate authority of your own and a certificate of the broker, where no public one is wanted.
#   make_certificates.sh DIRECTORY HOST_THAT_DEVICES_USE
# Writes mqtt_ca (for devices and ingest), mqtt_certificate, mqtt_key, and mqtt_ca_key, which belongs off this machine.
set -eu
directory=$1
host=$2
umask 077
mkdir -p "$directory"
cd "$directory"
if [ -e mqtt_key ]; then
    echo "$directory/mqtt_key is there already; remove it to make new certificates" >&2
    exit 1
fi
case $host in
    *[!0-9.]*) name="DNS:$host" ;;
    *) name="IP:$host" ;;
esac
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=Anhu broker authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout mqtt_ca_key -out mqtt_ca 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$host" \
    -keyout mqtt_key -out request 2>/dev/null
cat >extensions <<END
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=$name,DNS:mosquitto,DNS:localhost
END
openssl x509 -req -in request -CA mqtt_ca -CAkey mqtt_ca_key -CAcreateserial -days 825 -extfile extensions \
    -out mqtt_certificate 2>/dev/null
rm -f request extensions mqtt_ca.srl
# Containers read these as users of their own; the directory lets nobody else in.
chmod 0700 .
chmod 0444 mqtt_ca mqtt_certificate mqtt_key
chmod 0400 mqtt_ca_key
echo "broker certificate for $host in $directory; keep mqtt_ca_key off this machine"
