//! Ends a script that runs, and everything that it started, but never the shell that runs it.

use std::time::{Duration, Instant};

use crate::shell::{Effect, Script, Step};
use crate::transport::encode;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::framed::Framed;
use crate::transport::interrupt::POLL_INTERVAL;
use crate::transport::link::Link;
use crate::transport::{Listener, Lost, Silent};

/// For the script to begin, so that there is something to end; and for its end to be said.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends TERM to all that belongs to `$pid`, gives it half a second, then sends KILL. All of it is stopped before, so that
/// none goes on when another is gone: the end of the first can be the end of the second one's input, which would take it
/// for the whole. Belonging goes by the `$way` that the script's own mark named: its session, its process group, or being
/// below it. A group that it does not lead is not its own: dropbear has all channels of a connection in one. `$list` is
/// kept from look to look, for what is below loses its parents when they end. Processes that only wait to be reaped are
/// gone: in a container nobody may reap them.
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

impl<L: Link> Framed<L> {
    /// Ends the script of `exchange`, by the shell if that is free, else by a channel more. Afterwards the exchange has
    /// its status, unless the shell is not to be trusted any more.
    pub(super) fn end(&mut self, exchange: &mut Exchange, listener: &mut dyn Listener) -> Result<(), Lost> {
        exchange.stop_payload();
        self.until(exchange, None, listener, |exchange, _| exchange.begun().is_some())?;
        let Some((pid, way)) = exchange.begun().filter(|_| exchange.status().is_none()) else {
            return Ok(());
        };
        let script = Script::new(END).var("pid", pid.to_string()).var("way", way);
        let act = Step::new("end", Effect::Writes, script, |_| Ok(())).act;
        let mark = self.next_mark();
        let shell = self.shell.filter(|shell| {
            let is_free = shell.is_greeted && shell.channel != exchange.channel;
            is_free && matches!(self.link.exit(shell.channel), Ok(None))
        });
        let (channel, text) = match shell {
            Some(shell) => (shell.channel, encode::frame(&mark, &act)),
            None => (self.link.open(encode::CHANNEL)?, encode::first_line(&mark, &act.script)),
        };
        let mut killer = Exchange::new(channel, &mark, Input::text(text));
        let ended = self.until(exchange, Some(&mut killer), listener, |_, killer| {
            killer.is_some_and(|killer| killer.status().is_some())
        });
        if shell.is_none() {
            self.link.close(channel);
        }
        ended?;
        self.until(exchange, None, listener, |_, _| false)
    }

    /// Advances both exchanges until `is_done`, or until the first is over and there is no second, or patience ends.
    /// The first is read all the while: a script that cleans up may have much to say.
    fn until(
        &mut self,
        exchange: &mut Exchange,
        mut killer: Option<&mut Exchange>,
        listener: &mut dyn Listener,
        is_done: impl Fn(&Exchange, Option<&Exchange>) -> bool,
    ) -> Result<(), Lost> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let mut moved = exchange.advance(&mut self.link, listener)?;
            let mut channels = vec![exchange.channel];
            if let Some(killer) = &mut killer {
                moved |= killer.advance(&mut self.link, &mut Silent)?;
                channels.push(killer.channel);
            }
            let is_over = killer.is_none() && exchange.status().is_some();
            if is_over || is_done(exchange, killer.as_deref()) {
                break;
            }
            if !moved {
                let is_closed = match &mut killer {
                    None => self.closed(exchange, listener)?,
                    Some(killer) => self.closed(killer, &mut Silent)?,
                };
                if is_closed.is_some() {
                    break;
                }
                self.wait(&channels, POLL_INTERVAL)?;
            }
        }
        Ok(())
    }
}
