package api

import (
	"context"
	"net/http"
	"time"

	"github.com/lamppost-city/lamppost/registry"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Site is a place with sensors as the API shows it.
type Site struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	District string   `json:"district" doc:"The district's id; empty where it lies in none."`
	Lon      float64  `json:"lon" doc:"Degrees, WGS 84."`
	Lat      float64  `json:"lat"`
	Domains  []string `json:"domains" nullable:"false" doc:"Of what its sensors measure."`
	Sensors  int      `json:"sensors"`
	Silent   int      `json:"silent" doc:"Sensors that are silent."`
	Never    int      `json:"never" doc:"Sensors that have never reported."`
	State    string   `json:"state" enum:"ok,silent,never" doc:"silent: a sensor is; never: none has ever reported; ok otherwise."`
}

// SiteList is every site, in order of id.
type SiteList struct {
	Items []Site `json:"items" nullable:"false"`
	Total int    `json:"total"`
}

func (s *Server) getSites(_ context.Context, in *tagInput) (*fileOutput, error) {
	snapshot, now := s.deps.Registry.Snapshot(), telemetry.MilliOf(time.Now())
	sites := snapshot.Sites()
	list := SiteList{Items: make([]Site, len(sites)), Total: len(sites)}
	for i, site := range sites {
		list.Items[i] = s.showSite(snapshot, site, now)
	}
	return tagged(list, in.IfNoneMatch)
}

func (s *Server) showSite(snapshot *registry.Snapshot, site *registry.Site, now telemetry.UnixMilli) Site {
	sensors := snapshot.SensorsAt(site.ID)
	shown := Site{
		ID: site.ID, Title: site.Title, District: site.District, Lon: site.Lon, Lat: site.Lat,
		Sensors: len(sensors), State: stateOK, Domains: []string{},
	}
	var has [1 << 8]bool // by domain
	for _, sensor := range sensors {
		switch state, _ := s.stateOf(sensor, now); state {
		case stateSilent:
			shown.Silent++
		case stateNever:
			shown.Never++
		}
		for _, d := range sensor.Domains() {
			has[d] = true
		}
	}
	for _, d := range telemetry.Domains() {
		if has[d] {
			shown.Domains = append(shown.Domains, d.String())
		}
	}
	switch {
	case shown.Silent > 0:
		shown.State = stateSilent
	case shown.Never == shown.Sensors:
		shown.State = stateNever
	}
	return shown
}

// SiteSettings is what a person decides about a site.
type SiteSettings struct {
	Title    string  `json:"title,omitempty" doc:"For people; the id where it is empty."`
	District string  `json:"district,omitempty" doc:"The id of a registered district."`
	Lon      float64 `json:"lon" minimum:"-180" maximum:"180" doc:"Degrees, WGS 84."`
	Lat      float64 `json:"lat" minimum:"-90" maximum:"90"`
}

type putSiteInput struct {
	ID   string `path:"id" maxLength:"63" doc:"The site's id." example:"market-square"`
	Body SiteSettings
}

type siteOutput struct {
	Status int
	Body   Site
}

func (s *Server) putSite(ctx context.Context, in *putSiteInput) (*siteOutput, error) {
	if _, err := sensorID(in.ID); err != nil {
		return nil, err
	}
	outcome, err := s.deps.Registry.PutSite(ctx, actor, registry.Site{
		ID: in.ID, Title: in.Body.Title, District: in.Body.District, Lon: in.Body.Lon, Lat: in.Body.Lat,
	})
	if err != nil {
		return nil, s.fault(ctx, "register the site", err)
	}
	snapshot := s.deps.Registry.Snapshot()
	site, ok := snapshot.Site(in.ID)
	if !ok {
		return nil, newProblem(http.StatusNotFound, "site %q has been deleted meanwhile", in.ID)
	}
	return &siteOutput{Status: statusOf(outcome), Body: s.showSite(snapshot, site, telemetry.MilliOf(time.Now()))}, nil
}

type siteInput struct {
	ID string `path:"id" maxLength:"63" doc:"The site's id." example:"market-square"`
}

func (s *Server) deleteSite(ctx context.Context, in *siteInput) (*struct{}, error) {
	if _, err := sensorID(in.ID); err != nil {
		return nil, err
	}
	if err := s.deps.Registry.DeleteSite(ctx, actor, in.ID); err != nil {
		return nil, s.fault(ctx, "forget the site", err)
	}
	return nil, nil
}

// District is a part of the city as the API shows it.
type District struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Sites   int    `json:"sites"`
	Sensors int    `json:"sensors"`
}

// DistrictList is every district, in order of id.
type DistrictList struct {
	Items []District `json:"items" nullable:"false"`
}

func (s *Server) getDistricts(_ context.Context, in *tagInput) (*fileOutput, error) {
	snapshot := s.deps.Registry.Snapshot()
	sites := make(map[string]int)
	for _, site := range snapshot.Sites() {
		sites[site.District]++
	}
	districts := snapshot.Districts()
	list := DistrictList{Items: make([]District, len(districts))}
	for i, d := range districts {
		list.Items[i] = District{ID: d.ID, Title: d.Title, Sites: sites[d.ID], Sensors: len(snapshot.SensorsIn(d.ID))}
	}
	return tagged(list, in.IfNoneMatch)
}

// DistrictSettings is what a person decides about a district.
type DistrictSettings struct {
	Title string `json:"title,omitempty" doc:"For people; the id where it is empty."`
}

type putDistrictInput struct {
	ID   string `path:"id" maxLength:"63" doc:"The district's id." example:"old-town"`
	Body DistrictSettings
}

type districtOutput struct {
	Status int
	Body   District
}

func (s *Server) putDistrict(ctx context.Context, in *putDistrictInput) (*districtOutput, error) {
	if _, err := sensorID(in.ID); err != nil {
		return nil, err
	}
	outcome, err := s.deps.Registry.PutDistrict(ctx, actor, registry.District{ID: in.ID, Title: in.Body.Title})
	if err != nil {
		return nil, s.fault(ctx, "register the district", err)
	}
	snapshot := s.deps.Registry.Snapshot()
	d, ok := snapshot.District(in.ID)
	if !ok {
		return nil, newProblem(http.StatusNotFound, "district %q has been deleted meanwhile", in.ID)
	}
	shown := District{ID: d.ID, Title: d.Title, Sensors: len(snapshot.SensorsIn(d.ID))}
	for _, site := range snapshot.Sites() {
		if site.District == d.ID {
			shown.Sites++
		}
	}
	return &districtOutput{Status: statusOf(outcome), Body: shown}, nil
}

type districtInput struct {
	ID string `path:"id" maxLength:"63" doc:"The district's id." example:"old-town"`
}

func (s *Server) deleteDistrict(ctx context.Context, in *districtInput) (*struct{}, error) {
	if _, err := sensorID(in.ID); err != nil {
		return nil, err
	}
	if err := s.deps.Registry.DeleteDistrict(ctx, actor, in.ID); err != nil {
		return nil, s.fault(ctx, "forget the district", err)
	}
	return nil, nil
}
