#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
# run.pl [NAME...] - does the suite notice each change of list.txt? Makes the changes one at a time in a copy of the
# sources below BUILD, builds what decides anew, and runs the tests until one fails. TAP; exit status 1 if one survives.
#
# MAKE is make with the variables of this build; JOBS mutants run at once. Only the mutants whose name contains a NAME.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);

my $build = $ENV{BUILD} or die "run.pl: BUILD is not set\n";
my $make = $ENV{MAKE} // 'make';
my $jobs = $ENV{JOBS} // 2;
my $here = dirname($0);

# Tests that need neither root nor kernel, the quickest to fail first. A mutant may name another, run with the whole
# program built from its sources.
my @native = map { "$build/tests/$_" } 'bpf/conversations', 'bpf/terms', 'bpf/packets', 'bpf/blocked', 'bpf/sweeps', 'bpf/tcp_states', 'unit/generations',
	'evasion/run_programs', 'bpf/spoof', 'random_limits --policies 6 --seed 8', 'random --no-kernel --policies 400 --seed 1',
	'random_flows --no-kernel --policies 400 --seed 1';

sub read_list {
	my ($stage, @mutants) = '';

	open my $list, '<', "$here/list.txt" or die "list.txt: $!\n";
	while (<$list>) {
		chomp;
		if (/^\s*(#|$)/) { next }
		elsif (/^\[(.+)\]$/) { $stage = $1 }
		elsif (/^(\S.*)$/) { push @mutants, { name => "$stage: $1", edits => [], test => '', line => $. } }
		elsif (/^\t! (.+)$/) { $mutants[-1]{test} = $1 }
		elsif (/^\t(\S+): (.+?) => ?(.*)$/) { push @{ $mutants[-1]{edits} }, [$1, $2, $3] }
		else { die "list.txt:$.: cannot be read\n" }
	}
	return @mutants;
}

# The mutated sources, in a folder of their own: what is not changed is found in the tree. Returns why not, or ''.
sub mutate {
	my ($mutant, $dir) = @_;

	remove_tree($dir);
	make_path($dir);
	system("cp -r bpf user include tests bench Makefile tools policies demo $dir") == 0 or die "cannot copy to $dir\n";
	for my $edit (@{ $mutant->{edits} }) {
		my ($file, $from, $to) = map { s/\\n/\n/gr } @$edit;
		open my $in, '<', "$dir/$file" or return "$file: $!";
		local $/;
		my $text = <$in>;
		my $found = () = $text =~ /\Q$from\E/g;
		return "'$from' stands $found times in $file, not once" if $found != 1;
		$text =~ s/\Q$from\E/$to/;
		open my $out, '>', "$dir/$file" or die "$dir/$file: $!\n";
		print $out $text;
	}
	return '';
}

# Builds the test programs with the decision's object made anew, the rest from the build of the tree.
sub build_native {
	my ($dir, $log) = @_;
	my @objects = qw(simulate/decision compile/timeouts);
	my $objects = join ' ', map { "$dir/$_.o" } @objects;

	for my $object (@objects) {
		make_path(dirname("$dir/$object.o"));
		system("gcc -std=gnu11 -w -O1 -D_GNU_SOURCE -I$dir/include -I$dir/user -I$dir/bpf -I$build " .
			"-c -o $dir/$object.o $dir/user/$object.c >$log 2>&1") == 0 or return 0;
	}
	my %seen;
	for my $test (grep { !$seen{$_}++ } map { s/ .*//r } @native) {
		(my $out = $test) =~ s{.*/tests/}{$dir/};
		make_path(dirname($out));
		system("gcc -o $out $test.o $objects $build/libevasion.a $build/libtests.a $build/libzonewall.a -lcmocka -lpthread -lm " .
			"-lbpf -lelf -lz -lyaml -ljson-c -lsmartcols -lmnl >>$log 2>&1") == 0 or return 0;
	}
	return 1;
}

# Scripts tell by TAP alone that something failed, programs by their exit status as well.
sub fails {
	my ($command, $log) = @_;

	return 1 if system("$command >$log 2>&1");
	open my $out, '<', $log or die "$log: $!\n";
	return scalar grep { /^(not ok|Bail out!)/ } <$out>;
}

# Who noticed, '' for nobody, or undef if it cannot be built.
sub killer {
	my ($mutant, $dir) = @_;
	my $log = "$dir.log";

	if ($mutant->{test}) {
		return undef if system("$make -s -C $dir BUILD=build all tests >$log 2>&1");
		local $ENV{ZONEWALL} = "$dir/build/zonewall";
		local $ENV{BUILD} = "$dir/build";
		my $command = $mutant->{test} =~ /\.sh/ ? "bash $mutant->{test}" : "$dir/build/$mutant->{test}";
		return fails("timeout 300 $command", $log) ? $mutant->{test} : '';
	}
	build_native($dir, $log) or return undef;
	local $ENV{TABLES_ONLY} = 1;
	for my $test (@native) {
		(my $command = $test) =~ s{.*/tests/}{$dir/};
		return $test =~ s{.*/tests/}{}r if fails("timeout 120 $command", $log);
	}
	return '';
}

sub judge {
	my ($mutant, $number) = @_;
	my $dir = "$build/mutants/$number";
	my $error = mutate($mutant, $dir);
	my $killer = $error ? undef : killer($mutant, $dir);
	my $result = defined $killer && $killer ne '' ? "ok $number - $mutant->{name} # killed by $killer" :
		"not ok $number - $mutant->{name}\n# list.txt:$mutant->{line}: " .
		($error || (defined $killer ? 'it survives' : "it cannot be built, see $dir.log"));

	print "$result\n";
	remove_tree($dir) if defined $killer && $killer ne '';
	return defined $killer && $killer ne '';
}

$| = 1;
my @mutants = grep { my $m = $_; !@ARGV || grep { index($m->{name}, $_) >= 0 } @ARGV } read_list();
my ($failures, $running) = (0, 0);
for my $number (1 .. @mutants) {
	if ($running == $jobs) { wait; $failures++ if $?; $running-- }
	my $pid = fork // die "fork: $!\n";
	exit(judge($mutants[$number - 1], $number) ? 0 : 1) unless $pid;
	$running++;
}
while (wait != -1) { $failures++ if $? }
print '1..', scalar @mutants, "\n";
exit($failures ? 1 : 0);
