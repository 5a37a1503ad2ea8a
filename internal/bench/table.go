package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// medians takes the median of each figure over the rounds.
type medians []figures

func (m medians) of(figure func(figures) float64) float64 {
	values := make([]float64, len(m))
	for i, f := range m {
		values[i] = figure(f)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (m medians) text(format string, figure func(figures) float64) string {
	return fmt.Sprintf(format, m.of(figure))
}

func (b *bench) print(out io.Writer, all medians) {
	fmt.Fprintf(out, "\n%s\n\n", machine())
	all.printIngest(out)
	fmt.Fprintf(out, "\nFrom broker to store: messages waited at the broker. Readings a second.\n\n")
	all.printWays(out)
	if findMosquitto() == "" {
		fmt.Fprintln(out, "Mosquitto: not installed")
	}
	fmt.Fprintln(out, `
broker alone: to ingest's own client, which only acknowledges. store alone: the same points, encoded beforehand.
allowed: what broker and store leave to ingest, were it to cost nothing: one after the other where they share
processors, the slower of the two where they do not.`)
	fmt.Fprintf(out, "\nWhere the processor time goes. Microseconds a message; the last column is what the ratio to the store comes to where\nall share processors that have nothing else to do.\n\n")
	all.printTimes(out)
}

// printIngest prints what ingest costs, holds and how long it takes.
func (m medians) printIngest(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(what, value, ratio, bar string) { fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", what, value, ratio, bar) }
	row("what", "measured", "ratio", "bar")
	row("bare paho subscriber, CPU per message", m.text("%.2f µs", func(f figures) float64 { return f.barePerMessage }), "1.00", "")
	row("ingest, everything included, CPU per message of 3 fields", m.text("%.2f µs", func(f figures) float64 { return f.ingestPerMessage }),
		m.text("%.2f", func(f figures) float64 { return f.ingestPerMessage / f.barePerMessage }), "≤ 1.0 of bare paho")
	row("ingest, CPU per reading at 100 readings a message", m.text("%.2f µs", func(f figures) float64 { return f.ingestPerReading }), "", "≤ 1 µs")
	row("bare paho subscriber, messages that waited at the broker", m.text("%.0f messages/s", func(f figures) float64 { return f.bareRate }), "1.00", "")
	row("ingest, the same into the store", m.text("%.0f messages/s", func(f figures) float64 { return f.ways[0].line.rate }),
		m.text("%.2f", func(f figures) float64 { return f.ways[0].line.rate / f.bareRate }), "")
	row("ingest, largest resident memory", m.text("%.0f MB", func(f figures) float64 { return f.memory }), "", "≤ 150 MB")
	row("the same with the store away", m.text("%.0f MB", func(f figures) float64 { return f.memoryAway }), "", "≤ 150 MB")
	row("published and stored at once, all on the same processors", m.text("%.0f messages/s", func(f figures) float64 { return f.live.rate }), "", "")
	row("published to live, p99 at half of that", m.text("%.0f ms", func(f figures) float64 { return f.delayLive }), "", "≤ 150 ms")
	row("published to queryable, p99 at half of that", m.text("%.0f ms", func(f figures) float64 { return f.delayQueryable }), "", "≤ 1000 ms")
	_ = w.Flush()
}

// allowed is what broker and store leave to ingest, in messages a second.
func (w way) allowed(f wayFigures) float64 {
	if w.apart {
		return min(f.broker.rate, f.store.rate)
	}
	return 1 / (1/f.broker.rate + 1/f.store.rate)
}

func (w way) String() string {
	text := w.broker + ", " + fmt.Sprint(load{kind: w.load}.readings()) + " a message"
	if w.apart {
		text += ", store on a processor of its own"
	}
	return text
}

func (m medians) printWays(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "way\tbroker alone\tstore alone\tbroker to store\tof the store\tof what is allowed\tbar")
	for i, w := range ways() {
		readings := func(rate func(wayFigures) float64) string {
			return m.text("%.0f", func(f figures) float64 { return rate(f.ways[i]) * float64(load{kind: w.load}.readings()) })
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t≥ 0.9 of the store\n", w,
			readings(func(f wayFigures) float64 { return f.broker.rate }),
			readings(func(f wayFigures) float64 { return f.store.rate }),
			readings(func(f wayFigures) float64 { return f.line.rate }),
			m.text("%.2f", func(f figures) float64 { return f.ways[i].line.rate / f.ways[i].store.rate }),
			m.text("%.2f", func(f figures) float64 { return f.ways[i].line.rate / w.allowed(f.ways[i]) }))
	}
	_ = t.Flush()
}

// total is the processor time of a message in all processes.
func (d drained) total() float64 { return d.used + d.usedByBroker + d.usedByStore }

// printTimes tells who uses the processors.
func (m medians) printTimes(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\tpublisher\tbroker\tingest, or writer\tstore\tall\tof the store alone")
	row := func(what string, of ...func(figures) float64) {
		fmt.Fprint(t, what)
		for _, figure := range of {
			if figure == nil {
				fmt.Fprint(t, "\t")
				continue
			}
			fmt.Fprint(t, "\t", m.text("%.1f", figure))
		}
	}
	told := make(map[string]bool)
	for i, w := range ways() {
		if what := fmt.Sprintf("store alone, %d a message", load{kind: w.load}.readings()); !told[what] {
			told[what] = true
			fmt.Fprint(t, what, "\t\t")
			row("", func(f figures) float64 { return f.ways[i].store.used }, func(f figures) float64 { return f.ways[i].store.usedByStore },
				func(f figures) float64 { return f.ways[i].store.total() })
			fmt.Fprintln(t, "\t1.00")
		}
		row(w.String(), nil, func(f figures) float64 { return f.ways[i].line.usedByBroker },
			func(f figures) float64 { return f.ways[i].line.used }, func(f figures) float64 { return f.ways[i].line.usedByStore },
			func(f figures) float64 { return f.ways[i].line.total() })
		fmt.Fprintln(t, "\t"+m.text("%.2f", func(f figures) float64 { return f.ways[i].store.total() / f.ways[i].line.total() }))
	}
	row(fmt.Sprint(way{embeddedBroker, threeFields, false}, ", published at the same time"),
		func(f figures) float64 { return f.live.publisher }, func(f figures) float64 { return f.live.broker },
		func(f figures) float64 { return f.live.ingest }, func(f figures) float64 { return f.live.store },
		func(f figures) float64 { return f.live.publisher + f.live.broker + f.live.ingest + f.live.store })
	fmt.Fprintln(t)
	_ = t.Flush()
}

// machine names it.
func machine() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s: %s, %d processors, %s", host, processor(), runtime.NumCPU(), runtime.Version())
}

// processor names the machine's processor as Linux does.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
