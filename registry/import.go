package registry

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// ImportOptions say how to import a CSV file.
type ImportOptions struct {
	// By is who imports, for the audit.
	By Actor
	// DryRun leaves everything as it is, and reports what would be done.
	DryRun bool
}

// ImportReport says what Import did, or would do.
type ImportReport struct {
	DryRun bool `json:"dry_run"`
	// Rows is how many rows with content the file has below its header.
	Rows int `json:"rows"`
	// Created, Updated and Unchanged count rows by what became of their sensor; a row counts as updated as well where only
	// its site changes. Where Errors are, all three are 0.
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	// SitesCreated to DistrictsUpdated count what the rows bring with them.
	SitesCreated     int `json:"sites_created"`
	SitesUpdated     int `json:"sites_updated"`
	DistrictsCreated int `json:"districts_created"`
	DistrictsUpdated int `json:"districts_updated"`
	// Errors are the file's faults in order of row, at most Config.MaxImportErrors.
	Errors []CellError `json:"errors"`
	// Truncated is true where Errors is full; there may be more.
	Truncated bool `json:"truncated,omitempty"`
}

// Import registers or changes the sensors of a CSV file, all of them or, where anything is wrong with the file, none; then
// the error wraps ErrImport and the report says what is wrong, by row and column.
//
// The columns are those that Export writes, in any order, separated by commas or semicolons (then numbers may have a
// decimal comma); a byte order mark and CRLF are fine. Sites and districts that do not exist are created, those that
// differ are changed. An empty title leaves the registered title, or is the id of what is new; empty site_title, district,
// lon and lat leave the site as it is. The column district_title may be missing; one row of a district may give its title
// for all. Sensors that are not in the file stay.
func (r *Registry) Import(ctx context.Context, in io.Reader, o ImportOptions) (ImportReport, error) {
	if err := o.By.check(); err != nil {
		return ImportReport{}, err
	}
	t, err := readTable(in, r.cfg)
	if err != nil {
		return ImportReport{}, err
	}
	if o.DryRun || len(t.faults) > 0 {
		now, err := r.refresh(ctx)
		if err != nil {
			return ImportReport{}, err
		}
		return r.plan(now, t).finish(o)
	}
	var report ImportReport
	err = r.change(ctx, o.By, func(e *edit) error {
		work := r.plan(e.before, t)
		if report, err = work.finish(o); err != nil {
			return err
		}
		return work.apply(ctx, e)
	})
	if err != nil && !errors.Is(err, ErrImport) {
		return ImportReport{}, err
	}
	return report, err
}

// importWork is what an import has to do.
type importWork struct {
	table  *table
	report ImportReport

	districts []District
	sites     []Site
	sensors   []Sensor
}

// plan compares the file with what is registered.
func (r *Registry) plan(now *Snapshot, t *table) *importWork {
	work := &importWork{table: t}
	sites := work.planSites(now)
	added := 0
	seen := make(map[telemetry.SensorID]int, len(t.rows))
	for i := range t.rows {
		row := &t.rows[i]
		if line, twice := seen[row.sensor.ID]; twice {
			t.fault(row.line, "sensor", "%q is in row %d as well; keep one of them", row.sensor.ID, line)
			continue
		}
		seen[row.sensor.ID] = row.line
		if _, exists := now.Sensor(row.sensor.ID); !exists {
			added++
		}
		work.planSensor(now, row, sites)
	}
	if total := len(now.sensors) + added; total > r.cfg.MaxSensors {
		t.fault(0, "", "there would be %d sensors; max_sensors allows %d", total, r.cfg.MaxSensors)
	}
	return work
}

// sitePlan is what the file says of one site.
type sitePlan struct {
	line    int
	said    Site
	settled Site
	outcome Outcome
}

// planSites settles all sites, and returns them by id.
func (w *importWork) planSites(now *Snapshot) map[string]*sitePlan {
	plans := make(map[string]*sitePlan)
	w.planDistricts(now)
	for i := range w.table.rows {
		row := &w.table.rows[i]
		if row.place == nil {
			continue
		}
		if p, known := plans[row.place.ID]; known {
			w.compareSites(row, p)
			continue
		}
		p := &sitePlan{line: row.line, said: *row.place, settled: *row.place, outcome: Created}
		plans[p.said.ID] = p
		if old, exists := now.Site(p.said.ID); exists {
			p.settled.Title = cmp.Or(p.settled.Title, old.Title)
			p.outcome = Updated
			if *old == p.settled {
				p.outcome = Unchanged
			}
		}
		p.settled = p.settled.normal()
		w.addSite(p)
	}
	return plans
}

func (w *importWork) compareSites(row *importRow, p *sitePlan) {
	for _, f := range []struct {
		field        string
		said, before any
	}{
		{"title", row.place.Title, p.said.Title},
		{"district", row.place.District, p.said.District},
		{"lon", row.place.Lon, p.said.Lon},
		{"lat", row.place.Lat, p.said.Lat},
	} {
		if f.said != f.before {
			w.table.fault(row.line, siteColumn(f.field), "is %v, but row %d says %v of the same site %s; let them agree",
				quoted(f.said), p.line, quoted(f.before), p.said.ID)
		}
	}
}

func (w *importWork) addSite(p *sitePlan) {
	switch p.outcome {
	case Created:
		w.report.SitesCreated++
	case Updated:
		w.report.SitesUpdated++
	case Unchanged:
		return
	}
	w.sites = append(w.sites, p.settled)
}

// planDistricts settles all districts.
func (w *importWork) planDistricts(now *Snapshot) {
	type said struct {
		line  int // of the title
		title string
	}
	titles := make(map[string]said)
	var inOrder []string
	for i := range w.table.rows {
		row := &w.table.rows[i]
		if row.place == nil || row.place.District == "" {
			continue
		}
		id, title := row.place.District, row.districtTitle
		before, known := titles[id]
		if !known {
			inOrder = append(inOrder, id)
		}
		switch {
		case !known || before.title == "":
			titles[id] = said{row.line, title}
		case title != "" && title != before.title:
			w.table.fault(row.line, "district_title", "is %q, but row %d says %q of the same district %s; let them agree",
				title, before.line, before.title, id)
		}
	}
	for _, id := range inOrder {
		w.addDistrict(now, District{ID: id, Title: titles[id].title})
	}
}

func (w *importWork) addDistrict(now *Snapshot, d District) {
	switch old, exists := now.District(d.ID); {
	case !exists:
		w.report.DistrictsCreated++
	case d.Title == "" || d.Title == old.Title:
		return
	default:
		w.report.DistrictsUpdated++
	}
	w.districts = append(w.districts, d.normal())
}

func (w *importWork) planSensor(now *Snapshot, row *importRow, sites map[string]*sitePlan) {
	site, planned := sites[row.sensor.Site]
	_, exists := now.Site(row.sensor.Site)
	if row.namesSite && !exists && !planned && !w.table.doubtful[row.sensor.Site] {
		w.table.fault(row.line, "site", "no site %q is registered, and no row says where it is; give lon and lat",
			row.sensor.Site)
		return
	}
	s := row.sensor
	old, exists := now.Sensor(s.ID)
	if exists {
		s.Title = cmp.Or(s.Title, old.Title)
	}
	s = s.normal()
	switch {
	case !exists:
		w.report.Created++
	case old.same(&s) && (!planned || site.outcome != Updated):
		w.report.Unchanged++
		return
	default:
		w.report.Updated++
	}
	w.sensors = append(w.sensors, s)
}

// finish returns the report, and ErrImport where the file has faults.
func (w *importWork) finish(o ImportOptions) (ImportReport, error) {
	w.report.DryRun = o.DryRun
	w.report.Rows = w.table.count
	w.report.Errors = []CellError{}
	if len(w.table.faults) == 0 {
		return w.report, nil
	}
	slices.SortStableFunc(w.table.faults, func(a, b CellError) int { return cmp.Compare(a.Row, b.Row) })
	return ImportReport{
		DryRun: o.DryRun, Rows: w.table.count, Errors: w.table.faults, Truncated: w.table.full(),
	}, ErrImport
}

// apply writes what plan found.
func (w *importWork) apply(ctx context.Context, e *edit) error {
	for i := range w.districts {
		if _, err := e.putDistrict(ctx, &w.districts[i]); err != nil {
			return err
		}
	}
	for i := range w.sites {
		if _, err := e.putSite(ctx, &w.sites[i]); err != nil {
			return err
		}
	}
	for i := range w.sensors {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := e.putSensor(ctx, &w.sensors[i]); err != nil {
			return err
		}
	}
	return nil
}

func quoted(x any) any {
	if text, ok := x.(string); ok {
		return `"` + text + `"`
	}
	return x
}
