#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# report.sh BUILD FOLDER [NAME...] - `make bench-report`: measures the scale series (series.c) and puts a table
# (NAME.tsv) and a plot (NAME.svg) of each into the folder. Without names: all.
set -eu
build=$(realpath "$1") folder=$(realpath "$2")
cd "$(dirname "$0")/.."
shift 2
[ $# -gt 0 ] || set -- rules prefixes zones flows interfaces

plot() # plot NAME
{
	local six=
	! grep -q ^6 "$folder/$1.tsv" || six=1
	gnuplot <<-END
		set terminal svg size 720,400 dynamic background rgb 'white'
		set output '$folder/$1.svg'
		set logscale x
		set format x '%.0s%c'
		set yrange [0:*]
		set grid
		set key top left
		set xlabel '$1'
		set ylabel 'ns a packet'
		data = '$folder/$1.tsv'
		plot for [six = 0:${six:-0}] data every ::1 using 2:(column(1) == 4 + 2 * six ? column(4) : NaN) with linespoints \
			lc rgb '#b03030' dt six + 1 pt 7 title six ? 'denied, IPv6' : 'denied', \
			for [six = 0:${six:-0}] data every ::1 using 2:(column(1) == 4 + 2 * six ? column(5) : NaN) with linespoints \
			lc rgb '#2060a0' dt six + 1 pt 5 title six ? 'established, IPv6' : 'established', \
			data every ::1 using 2:(column(1) == 4 ? column(3) : NaN) with linespoints \
			lc rgb '#707070' pt 3 title 'floor: drops at once'
	END
}

for name; do
	bench/bench.sh "$build/bench/series" "$name" "$folder/$name.tsv"
	plot "$name"
done
