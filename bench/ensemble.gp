# Draws results/ensemble.svg from results/ensemble.tsv and results/checked.tsv: simulated events a second in the
# three worlds, as the world runs them and with every check on. Called by bench/run, in the root of the source.
set terminal svg size 760,420 font "sans,13" background "white"
set output "results/ensemble.svg"
set title "Simulated events per second and core (five servers)"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set boxwidth 0.9
set logscale y
set yrange [100000:*]
set format y "%.0s %c"
set grid ytics lc rgb "#cccccc"
set key top right
set xtics scale 0
bare = "< awk -F'\\t' '!/^#/ {for (i = 2; i < NF; i++) if ($i == \"events/s\") print $1, $(i + 1)}' results/ensemble.tsv"
checked = "< awk -F'\\t' '!/^#/ && $1 != \"world\" {print $1, $4}' results/checked.tsv"
plot bare using 2:xtic(1) title "world alone (bench/bench\\_ensemble)" lc rgb "#3b6ea5", \
     checked using 2 title "with every check (terrarium sim run)" lc rgb "#d58936"
