//! Ends a running script and everything that it started, but not the shell that runs it.

use std::time::{Duration, Instant};

use crate::shell::{Act, Effect, Script, Step};
use crate::transport::cancel::POLL_INTERVAL;
use crate::transport::encode;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::link::Link;
use crate::transport::mark::Nonce;
use crate::transport::shell::Shell;
use crate::transport::turn::{closed, wait};
use crate::transport::{Listener, Silent, TransportError};

/// How long to wait for the script to begin, so that its processes are known, and for its end to be reported.
const LIMIT: Duration = Duration::from_secs(5);
/// The same before the host's first answer: until then, its login shell may be waiting for input.
const FIRST_LIMIT: Duration = Duration::from_secs(1);

/// Sends TERM to all processes of `$pid`, waits half a second, then sends KILL. Before that, it stops all of them, so
/// that none continues when another one is gone: when one ends, another one may reach the end of its input, and would
/// mistake partial input for complete input. Which processes belong to `$pid` depends on the `$way` that the script's
/// mark named: those of its session, of its process group, or its descendants. A group that it does not lead is not
/// its own: dropbear puts all channels of a connection into one group. `$list` is kept from one look to the next,
/// because descendants lose their parents when these end. Zombies count as gone: in a container there may be no
/// process that reaps them.
const END: &str = r#"
table() {
  if [ -r /proc/self/stat ]; then
    for f in /proc/[0-9]*/stat; do
      IFS= read -r l <"$f" || continue
      f=${f#/proc/}
      set -- ${l##*) }
      echo "${f%/stat} $2 $3 $4 $1"
    done 2>/dev/null
  else
    ps -A -o pid= -o ppid= -o pgid= -o pgid= -o state=
  fi
}
members() {
  table | while read -r p pp g s state; do
    case $state in Z*|X*) continue ;; esac
    case $way in
      session) [ "$s" = "$pid" ] ;;
      group) [ "$g" = "$group" ] ;;
      *) case " $list " in *" $p "*|*" $pp "*) ;; *) false ;; esac ;;
    esac && echo "$p"
  done
}
look() {
  while n=$(echo $(members)); [ "$n" != "$list" ]; do list=$n; done
}
group=$(table | while read -r p pp g s state; do [ "$p" != "$pid" ] || echo "$g"; done)
: "${group:=$pid}"
[ "$way" != group ] || [ "$group" = "$pid" ] || way=tree
list=$pid
kill -STOP $list 2>/dev/null
while n=$(echo $(members)); [ "$n" != "$list" ]; do
  list=$n
  [ "$list" ] && kill -STOP $list 2>/dev/null
done
if [ "$list" ]; then
  kill -TERM $list 2>/dev/null
  kill -CONT $list 2>/dev/null
fi
for t in 0.01 0.02 0.04 0.08 0.1 0.1 0.15; do
  [ "$list" ] || exit 0
  sleep "$t" 2>/dev/null || sleep 1
  look
done
[ "$list" ] || exit 0
kill -KILL $list 2>/dev/null
look
[ "$list" ] && kill -KILL $list 2>/dev/null
exit 0
"#;

/// Ends the script of `exchange`, through the shell if that is idle, else through another channel. Afterwards the
/// exchange has its status, unless the shell can no longer be trusted.
pub fn end(
    link: &mut impl Link,
    exchange: &mut Exchange,
    shell: &mut Shell,
    listener: &mut dyn Listener,
) -> Result<(), TransportError> {
    exchange.stop_payload();
    let limit = if shell.has_answered { LIMIT } else { FIRST_LIMIT };
    advance_until(link, exchange, None, limit, listener, |exchange, _| exchange.process().is_some())?;
    let Some((pid, way)) = exchange.process().filter(|_| exchange.status().is_none()) else {
        return Ok(());
    };
    let script = Script::new(END).var("pid", pid.to_string()).var("way", way);
    let act = Step::new("end", Effect::Writes, script, |_| Ok(())).act;
    let (mut killer, is_in_shell) = match shell.start_concurrent(link, &act, exchange.channel) {
        Some(killer) => (killer, true),
        None => (on_a_channel(link, &act)?, false),
    };
    let ended = advance_until(link, exchange, Some(&mut killer), LIMIT, listener, |_, killer| {
        killer.is_some_and(|killer| killer.status().is_some())
    });
    if !is_in_shell {
        link.close(killer.channel);
    }
    ended?;
    advance_until(link, exchange, None, LIMIT, listener, |_, _| false)
}

fn on_a_channel(link: &mut impl Link, act: &Act) -> Result<Exchange<'static>, TransportError> {
    let channel = link.open(encode::CHANNEL)?;
    let mark = Nonce::random().mark(0);
    let line = encode::first_line(&mark, &act.script);
    Ok(Exchange::new(channel, &mark, Input::text(line)))
}

/// Advances both exchanges until `is_done`, until the first is over and there is no second, or until `limit`.
/// Keeps reading the first one: a script that cleans up may print much.
fn advance_until(
    link: &mut impl Link,
    exchange: &mut Exchange,
    mut killer: Option<&mut Exchange>,
    limit: Duration,
    listener: &mut dyn Listener,
    is_done: impl Fn(&Exchange, Option<&Exchange>) -> bool,
) -> Result<(), TransportError> {
    let start = Instant::now();
    while start.elapsed() < limit {
        let mut moved = exchange.advance(link, listener)?;
        let mut channels = vec![exchange.channel];
        if let Some(killer) = &mut killer {
            moved |= killer.advance(link, &mut Silent)?;
            channels.push(killer.channel);
        }
        let is_over = killer.is_none() && exchange.status().is_some();
        if is_over || is_done(exchange, killer.as_deref()) {
            break;
        }
        if !moved {
            let is_closed = match &mut killer {
                None => closed(link, exchange, listener)?,
                Some(killer) => closed(link, killer, &mut Silent)?,
            };
            if is_closed.is_some() {
                break;
            }
            wait(link, &channels, POLL_INTERVAL)?;
        }
    }
    Ok(())
}
