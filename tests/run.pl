#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
# run.pl [--build DIR] [--root] [--jobs N] --group NAME PROGRAM... - runs test programs that print TAP, as prove does, in
# groups.
#
# What stands before a group holds for it and all later ones: --build is where ZONEWALL and BUILD point, --root says that
# a program needs root (without root it is skipped, and said so), --jobs how many programs may run at once, those of the
# groups that follow each other taken together. Ends with one line of totals; exit status 1 on failure.
use strict;
use warnings;
use Cwd qw(abs_path);
use TAP::Harness;
use TAP::Parser::Aggregator;

my $timeout = $ENV{TEST_TIMEOUT} // 1800;
my ($build, $root, $jobs, $group, @batches, @skipped) = ('build', 0, 1);
my $skipped_files = 0;

# A program is known by where it was built for and its file, and told by its group.
sub add {
	my ($file) = @_;
	if ($root && $> != 0) {
		push @skipped, ["$group: $file", 'needs root'];
		$skipped_files++;
		return;
	}
	push @batches, { jobs => $jobs, tests => [] } unless @batches && $batches[-1]{jobs} == $jobs;
	push @{ $batches[-1]{tests} }, [(abs_path($build) // $build) . ":$file", "$group: $file"];
}

while (defined(my $word = shift @ARGV)) {
	if ($word eq '--build')    { $build = shift @ARGV }
	elsif ($word eq '--root')  { $root = 1 }
	elsif ($word eq '--jobs')  { $jobs = shift @ARGV }
	elsif ($word eq '--group') { $group = shift @ARGV }
	elsif (defined $group)     { add($word) }
	else                       { die "run.pl: '$word' is in no group\n" }
}

$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
$ENV{ASAN_OPTIONS} //= 'detect_leaks=1:abort_on_error=0';
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';

sub command {
	my ($dir, $file) = split /:/, $_[1];
	return ['env', "BUILD=$dir", "ZONEWALL=$dir/zonewall", 'timeout', '--foreground', '-k', '30', $timeout,
		$file =~ /\.sh$/ ? ('bash', $file) : $file];
}

# Says at once what failed and why: comments after a failure tell what went wrong, those before the first test with which
# seed; others are left out.
sub follow {
	my ($parser, $job) = @_;
	my $name = $job->[1];
	my ($tests, $failed, @first) = (0, 0);
	$parser->callback(test => sub {
		$tests++;
		$failed = !$_[0]->is_ok;
		print map { "\n$name: " . $_->as_string } splice @first if $failed;
		push @skipped, [$name, $_[0]->explanation] if $_[0]->has_skip;
	});
	$parser->callback(comment => sub {
		push @first, $_[0] unless $tests;
		print "\n$name: ", $_[0]->as_string if $failed;
	});
	$parser->callback(plan => sub { push @skipped, [$name, $_[0]->explanation] if $_[0]->has_skip });
}

my $all = TAP::Parser::Aggregator->new;
$all->start;
for my $batch (@batches) {
	my $harness = TAP::Harness->new({
		failures => 1,
		timer => 1,
		jobs => $batch->{jobs},
		color => -t STDOUT && !$ENV{NO_COLOR},
		exec => \&command,
	});
	$harness->callback(made_parser => \&follow);
	$harness->aggregate_tests($all, @{ $batch->{tests} });
}
$all->stop;

my ($failed, @broken) = (scalar $all->failed, ());
for my $name ($all->descriptions) {
	my ($parser) = $all->parsers($name);
	$skipped_files++ if $parser->skip_all;
	next unless $parser->has_problems;
	push @broken, $name;
	# A program that died, or ran fewer tests than it planned, failed once more.
	$failed++ unless $parser->failed;
}
print "\n";
print "skipped: $_->[0]: $_->[1]\n" for @skipped;
print "FAILED: $_\n" for @broken;
my $skipped = $skipped_files + $all->skipped;
my $passed = $all->passed - $all->skipped;
printf "%d passed, %d failed, %d skipped in %d s\n", $passed, $failed, $skipped, $all->elapsed->[0];
exit($failed || @broken ? 1 : 0);
