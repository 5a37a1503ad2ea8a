package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lamppost-city/lamppost/api"
	"github.com/lamppost-city/lamppost/telemetry"
)

func bridgesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bridges", Short: "List edge bridges, and tell them what to do", Args: cobra.NoArgs,
		Long: "List the edge bridges (lamppost-bridge) that report to the Lamppost which runs on --data, leave settings for them, and\n" +
			"give them commands.",
	}
	for _, sub := range []*cobra.Command{listBridges(), showBridge(), settleBridge(), commandBridge()} {
		addConfigFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

// withRunning runs a command that asks the process which runs on --data.
func withRunning(run func(cmd *cobra.Command, args []string, ask asker) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, _, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		return run(cmd, args, func(q request, answer any) error { return askRunning(cmd.Context(), cfg.Data, q, answer) })
	}
}

// asker asks the running process; see askRunning.
type asker func(q request, answer any) error

// bridgePath is a bridge's path in the API. An id that could not be one never gets there.
func bridgePath(id, rest string) (string, error) {
	if err := telemetry.SensorID(id).Check(); err != nil {
		return "", fmt.Errorf("bridge %w", err)
	}
	return "/api/v1/bridges/" + id + rest, nil
}

func listBridges() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List bridges, as they described themselves last", Args: cobra.NoArgs}
	offline := cmd.Flags().Bool("offline", false, "only bridges without a connection")
	cmd.RunE = withRunning(func(cmd *cobra.Command, _ []string, ask asker) error {
		all, err := everyBridge(ask, *offline)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "bridge\tstate\tsensors\tfailing\twaiting\toldest\tdisk\tclock\tsettings\tversion\ttitle")
		for i := range all {
			b := &all[i]
			waiting, oldest, disk := "", "", ""
			if o := b.Outbox; o != nil {
				waiting, oldest, disk = fmt.Sprint(o.WaitingReadings), age(o), o.Disk
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", b.Publisher, b.State, b.Sensors, b.Failing,
				waiting, oldest, disk, clockWord(b.Clock), settingsWord(b.Settings), printable(b.Version), printable(b.Title))
		}
		if len(all) == 0 {
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "no bridges; one appears when it connects: lamppost-bridge run --publisher ID --mqtt URL")
		}
		return w.Flush()
	})
	return cmd
}

// everyBridge asks page by page.
func everyBridge(ask asker, offline bool) (all []api.Bridge, err error) {
	const most = 1000
	at := url.Values{"limit": {fmt.Sprint(most)}}
	if offline {
		at.Set("state", "offline")
	}
	for {
		var page api.BridgeList
		at.Set("offset", fmt.Sprint(len(all)))
		if err := ask(request{method: http.MethodGet, path: "/api/v1/bridges?" + at.Encode()}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if len(page.Items) < most {
			return all, nil
		}
	}
}

func age(o *api.BridgeOutbox) string {
	if o.WaitingReadings == 0 {
		return "-"
	}
	return (time.Duration(o.OldestS) * time.Second).String()
}

func clockWord(c *api.BridgeClock) string {
	switch {
	case c == nil:
		return ""
	case !c.Known:
		return "unknown"
	}
	return c.Source
}

func settingsWord(s *api.BridgeSettings) string {
	switch {
	case s == nil:
		return ""
	case s.Refused != nil:
		return s.Source + ", newer refused"
	}
	return s.Source
}

// printable keeps what a bridge says of itself from doing anything to the terminal or to a table.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

func showBridge() *cobra.Command {
	return &cobra.Command{
		Use: "show BRIDGE", Short: "Show one bridge and its sensors", Args: cobra.ExactArgs(1),
		RunE: withRunning(func(cmd *cobra.Command, args []string, ask asker) error {
			path, err := bridgePath(args[0], "")
			if err != nil {
				return err
			}
			var b api.BridgeWithSensors
			if err := ask(request{method: http.MethodGet, path: path}, &b); err != nil {
				return err
			}
			return printBridge(cmd.OutOrStdout(), &b)
		}),
	}
}

// printBridge says how a bridge does, then how its sensors do.
func printBridge(out io.Writer, b *api.BridgeWithSensors) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	row("bridge", "%s", b.Publisher)
	row("title", "%s", b.Title)
	row("state", "%s", b.State)
	row("version", "%s", b.Version)
	row("reported", "%s", when(b.At))
	row("started", "%s", when(b.Started))
	if s := b.Settings; s != nil {
		row("settings", "%s %s, sensors: %d, buses: %d, since %s", s.Source, s.ID, s.Sensors, s.Buses, when(s.Applied))
		if r := s.Refused; r != nil {
			row("refused", "%s %s: %s", r.Source, r.ID, r.Error)
		}
	}
	if o := b.Outbox; o != nil {
		row("waiting", "%d readings, oldest %s; disk %s, %.1f of %.1f MB", o.WaitingReadings, age(o), o.Disk, float64(o.DiskBytes)/1e6, float64(o.MaxBytes)/1e6)
		if o.Error != "" {
			row("disk", "%s", o.Error)
		}
		for reason, n := range o.Dropped {
			row("lost", "%d readings: %s", n, reason)
		}
	}
	if c := b.Clock; c != nil {
		row("clock", "%s, within %s", clockWord(c), time.Duration(c.UncertaintyMS)*time.Millisecond)
		if c.Error != "" {
			row("", "%s", c.Error)
		}
	}
	if err := w.Flush(); err != nil || len(b.Sensors) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(w, "\nsensor\tstate\tdriver\tbus\treadings\tlast good\twhat is wrong")
	for _, s := range b.Sensors {
		wrong := s.Error
		if s.Advice != "" {
			wrong += "; " + s.Advice
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", s.ID, s.State, printable(s.Driver), printable(s.Bus), s.Readings, when(s.LastGood), printable(wrong))
	}
	return w.Flush()
}

func when(at *api.Time) string {
	if at == nil {
		return "-"
	}
	return time.UnixMilli(int64(*at)).UTC().Format(time.RFC3339)
}

func settleBridge() *cobra.Command {
	cmd := &cobra.Command{
		Use: "settings BRIDGE [FILE]", Short: "Leave settings for a bridge, or withdraw them", Args: cobra.RangeArgs(1, 2),
		Long: "Leave the settings of a file (- is standard input), in YAML or JSON, for a bridge. They stay with the broker: a bridge\n" +
			"that is away takes them when it is back. Whether it can use them shows in: lamppost bridges show BRIDGE\n" +
			"With --withdraw the bridge goes back to the file on its own disk.",
	}
	withdraw := cmd.Flags().Bool("withdraw", false, "withdraw what was left for it")
	cmd.RunE = withRunning(func(cmd *cobra.Command, args []string, ask asker) error {
		path, err := bridgePath(args[0], "/settings")
		if err != nil {
			return err
		}
		if *withdraw == (len(args) == 2) {
			return errors.New("give either a file with settings, or --withdraw")
		}
		if *withdraw {
			if err := ask(request{method: http.MethodDelete, path: path}, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "withdrawn; %s uses the file on its own disk\n", args[0])
			return err
		}
		text, err := readSettings(cmd, args[1])
		if err != nil {
			return err
		}
		var left api.BridgeSettingsLeft
		if err := ask(request{method: http.MethodPut, path: path, contentType: "application/yaml", body: text}, &left); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "left settings %s for %s; whether they are in force says: lamppost bridges show %s\n", left.ID, args[0], args[0])
		return err
	})
	return cmd
}

// readSettings reads a file, up to one byte more than a bridge takes: so the API refuses a larger one.
func readSettings(cmd *cobra.Command, name string) ([]byte, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, api.MaxBridgeSettingsBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the settings: %w", err)
	case len(text) == 0:
		return nil, fmt.Errorf("the file %s is empty; use --withdraw to withdraw settings", name)
	case len(text) > api.MaxBridgeSettingsBytes:
		return nil, fmt.Errorf("the file %s is larger than the %d bytes that a bridge takes", name, api.MaxBridgeSettingsBytes)
	}
	return text, nil
}

func commandBridge() *cobra.Command {
	var c api.BridgeCommand
	cmd := &cobra.Command{
		Use: "do BRIDGE read|describe|log|restart", Short: "Ask a bridge to do something now, and wait for its answer", Args: cobra.ExactArgs(2),
		Long: "Ask a bridge to do something now, and wait for its answer:\n" +
			"  read      read one sensor (--sensor), or all\n" +
			"  describe  look what answers on its buses\n" +
			"  log       set the level of its log (--level) until its next start\n" +
			"  restart   end in order, and start again",
	}
	cmd.Flags().StringVar(&c.Sensor, "sensor", "", "the `sensor` to read; all without it")
	cmd.Flags().StringVar(&c.Level, "level", "", "`level` of the bridge's log: debug, info, warn or error")
	cmd.RunE = withRunning(func(cmd *cobra.Command, args []string, ask asker) error {
		path, err := bridgePath(args[0], "/commands")
		if err != nil {
			return err
		}
		c.Do = args[1]
		if err := checkCommand(c); err != nil {
			return err
		}
		body, err := json.Marshal(c)
		if err != nil {
			return err
		}
		var a api.BridgeAnswer
		if err := ask(request{method: http.MethodPost, path: path, contentType: "application/json", body: body}, &a); err != nil {
			return err
		}
		if !a.OK {
			return fmt.Errorf("bridge %s could not %s: %s", args[0], c.Do, printable(a.Error))
		}
		return printAnswer(cmd.OutOrStdout(), args[0], &a)
	})
	return cmd
}

// checkCommand says in the command line's words what the API would say in its own.
func checkCommand(c api.BridgeCommand) error {
	switch {
	case !slices.Contains([]string{"read", "describe", "log", "restart"}, c.Do):
		return fmt.Errorf("%q is none of read, describe, log and restart", c.Do)
	case c.Sensor != "" && c.Do != "read":
		return errors.New("--sensor belongs to read alone")
	case (c.Level != "") != (c.Do == "log"):
		return errors.New("log, and only log, needs --level: debug, info, warn or error")
	case c.Do == "log" && !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Level):
		return fmt.Errorf("--level %q is none of debug, info, warn and error", c.Level)
	}
	return nil
}

// printAnswer says what the bridge has done, and lists what it has found.
func printAnswer(out io.Writer, bridge string, a *api.BridgeAnswer) error {
	done := map[string]string{
		"read": "reads; the readings come the usual way", "describe": "has looked at its buses",
		"log": "has set the level of its log", "restart": "restarts",
	}
	if _, err := fmt.Fprintf(out, "%s %s\n", bridge, done[a.Do]); err != nil || len(a.Buses) == 0 {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "bus\ttype\twhere\tdriver\ttitle")
	for _, bus := range a.Buses {
		line := func(where, driver, title string) {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(bus.ID), printable(bus.Type), printable(where), printable(driver), printable(title))
		}
		for _, d := range bus.Devices {
			line(d.Where, d.Driver, d.Title)
		}
		for _, where := range bus.Answers {
			line(where, "?", "answers, and no driver knows it")
		}
		if bus.Error != "" {
			line(bus.Device, "", strings.TrimSuffix(bus.Error+"; "+bus.Advice, "; "))
		} else if len(bus.Devices)+len(bus.Answers) == 0 {
			line(cmp.Or(bus.Device, "-"), "", "nothing answers")
		}
	}
	return w.Flush()
}
