echo "I am $(id -u), and I see $(ls /srv/app)"
(echo >/srv/app/mine) 2>/dev/null && echo 'and I can write there' || echo 'and I cannot write there'
