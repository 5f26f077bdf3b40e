#!/bin/sh
# The programs of samples/ where their images are not at hand. Which one it is, its pod's name says.
#   sample.sh           serves
#   sample.sh answer    answers one request, on standard input
name=$(hostname)
port=9080
case $name in httpbin-*) port=8080 ;; esac
if [ "${1:-}" != answer ]; then
  # The first process of a container that does not ask for SIGTERM does not get it.
  trap 'exit 0' TERM
  nc -ll -p "$port" -e "$0" answer &
  wait
  exit 1
fi

read -r method path _
host=
while read -r header; do
  header=${header%"$(printf '\r')"}
  [ -n "$header" ] || break
  case $header in [Hh]ost:*) host=${header#*: } ;; esac
done

# ask URL: what it answers, or that it does not.
ask() { curl -sSf -m 5 "$1" 2>/dev/null || echo '"unavailable"'; }

case $name in
  details-*) body='{"id": 0, "pages": 200}' ;;
  ratings-*) body='{"id": 0, "ratings": {"Reviewer1": 5, "Reviewer2": 4}}' ;;
  reviews-v1-*) body='{"id": 0, "version": "v1"}' ;;
  reviews-*)
    version=${name#reviews-}
    body="{\"id\": 0, \"version\": \"${version%%-*}\", \"ratings\": $(ask http://ratings:9080/ratings/0)}"
    ;;
  productpage-*)
    body="{\"details\": $(ask http://details:9080/details/0), \"reviews\": $(ask http://reviews:9080/reviews/0)}"
    ;;
  *) body="{\"method\": \"$method\", \"url\": \"http://$host$path\"}" ;;
esac
printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
  "${#body}" "$body"
