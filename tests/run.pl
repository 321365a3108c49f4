#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
# run.pl [--build DIR] [--root] --group NAME PROGRAM... - runs test programs that print TAP, as prove does, in groups.
#
# What stands before a group holds for it and all later ones: --build is where ZONEWALL and BUILD point, --root says that
# a program needs root (without root it is skipped, and said so). Ends with one line of totals; exit status 1 on failure.
use strict;
use warnings;
use Cwd qw(abs_path);
use TAP::Harness;
use TAP::Parser::Aggregator;

my $timeout = $ENV{TEST_TIMEOUT} // 1800;
my ($build, $root, @groups, @skipped) = ('build', 0);

while (defined(my $word = shift @ARGV)) {
	if ($word eq '--build')    { $build = shift @ARGV }
	elsif ($word eq '--root')  { $root = 1 }
	elsif ($word eq '--group') { push @groups, { name => shift @ARGV, build => $build, root => $root, tests => [] } }
	elsif (@groups)            { push @{ $groups[-1]{tests} }, $word }
	else                       { die "run.pl: '$word' is in no group\n" }
}

$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
$ENV{ASAN_OPTIONS} //= 'detect_leaks=1:abort_on_error=0';
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';

my $all = TAP::Parser::Aggregator->new;
my $skipped_files = 0;
$all->start;
for my $group (@groups) {
	my @tests = @{ $group->{tests} };
	next unless @tests;
	print "== $group->{name}\n";
	if ($group->{root} && $> != 0) {
		push @skipped, map { [$_, 'needs root'] } @tests;
		$skipped_files += @tests;
		next;
	}
	my $dir = abs_path($group->{build}) // $group->{build};
	local $ENV{BUILD} = $dir;
	local $ENV{ZONEWALL} = "$dir/zonewall";
	my $harness = TAP::Harness->new({
		failures => 1,
		color => -t STDOUT && !$ENV{NO_COLOR},
		exec => sub {
			my (undef, $file) = @_;
			return ['timeout', '--foreground', '-k', '30', $timeout, $file =~ /\.sh$/ ? ('bash', $file) : $file];
		},
	});
	$harness->callback(made_parser => sub {
		my ($parser, $job) = @_;
		my $file = ref $job ? $job->[0] : $job;
		$parser->callback(test => sub { push @skipped, [$file, $_[0]->explanation] if $_[0]->has_skip });
		# Comments after a failure tell what went wrong, those before the first test with which seed; others are left out.
		my ($tests, $failed, @first) = (0, 0);
		$parser->callback(test => sub {
			$tests++;
			$failed = !$_[0]->is_ok;
			print map { "\n" . $_->as_string } splice @first if $failed;
		});
		$parser->callback(comment => sub {
			push @first, $_[0] unless $tests;
			print "\n", $_[0]->as_string if $failed;
		});
		$parser->callback(plan => sub { push @skipped, [$file, $_[0]->explanation] if $_[0]->has_skip });
	});
	$harness->aggregate_tests($all, map { [$_, "$group->{name}: $_"] } @tests);
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
