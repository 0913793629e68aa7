#!/usr/bin/perl
# Stands in for `sh` on a server and corrupts the output of the WHICHth shell (from 0). MUTANT is "WHICH STREAM MODE AT SEED";
# from byte AT of that stream on, MODE changes it.
use strict;
use warnings;

my ($dir) = $0 =~ m{^(.*)/};
$ENV{PATH} =~ s/^\Q$dir\E://;
my ($which, $stream, $mode, $at, $seed) = split / /, $ENV{MUTANT};
my $n = 0;
$n++ until mkdir "$dir/taken.$n";
exec '/bin/sh', @ARGV if $n != $which;

pipe my $reader, my $writer or die;
my $pid = fork;
if (!$pid) {
  open STDOUT, '>&', $writer if $stream eq 'out';
  open STDERR, '>&', $writer if $stream eq 'err';
  exec '/bin/sh', @ARGV;
}
close $writer;
open STDIN, '<', '/dev/null';
my $to = $stream eq 'out' ? \*STDOUT : \*STDERR;

sub say_all {
  my ($text) = @_;
  while (length $text) {
    my $said = syswrite $to, $text;
    exit 1 unless $said;
    substr $text, 0, $said, '';
  }
}

srand $seed;
my $seen = 0;
while (sysread $reader, my $text, 65536) {
  my $length = length $text;
  my $p = $at - $seen;
  if ($p >= 0 && $p < $length) {
    my ($before, $after) = (substr($text, 0, $p), substr $text, $p);
    my $noise = sub { join '', map { chr int rand 256 } 1 .. $_[0] };
    if ($mode eq 'bit') { substr($after, 0, 1) ^= chr 1 << int rand 8 }
    elsif ($mode eq 'noise') { $after = join '', map { rand() < 0.05 ? chr int rand 256 : $_ } split //, $after }
    elsif ($mode eq 'digits') { $after =~ tr/0-8/9/ }
    elsif ($mode eq 'drop') { substr $after, 0, 1 + int(rand 40), '' }
    elsif ($mode eq 'again') { $after .= $after }
    elsif ($mode eq 'insert') { $after = $noise->(1 + int rand 100) . $after }
    elsif ($mode eq 'lines') { $after = "\n=\0\n\0;" x 50 . $after }
    elsif ($mode eq 'huge') { $after = (rand() < 0.5 ? 'A' : '9') x 4_000_000 . $after }
    elsif ($mode eq 'cut') { say_all($before); kill 9, $pid; exit 1 }
    elsif ($mode eq 'endless') { say_all($before); say_all("so it goes on\n" x 5000) while 1 }
    $text = $before . $after;
  }
  $seen += $length;
  say_all($text);
}
waitpid $pid, 0;
exit $? >> 8;
