package dashboards

import "net/url"

// The uids of the dashboards, which are part of their addresses.
const (
	overviewUID = "lamppost-overview"
	trafficUID  = "lamppost-traffic"
	energyUID   = "lamppost-energy"
	safetyUID   = "lamppost-safety"
	sensorUID   = "lamppost-sensor"
	fleetUID    = "lamppost-fleet"
	pipelineUID = "lamppost-pipeline"
)

// kept is what every link carries on: the time range and the districts.
const kept = "${__url_time_range}&${district:queryparam}"

// to leads to another dashboard.
func to(title, uid string) Link { return Link{Title: title, URL: "/d/" + uid + "?" + kept} }

// toNow leads to another dashboard from a panel that has a time of its own, which is not to be carried on.
func toNow(title, uid string) Link {
	return Link{Title: title, URL: "/d/" + uid + "?${district:queryparam}"}
}

// toSensor leads from a row, point or line to its sensor; from says where its id is found.
func toSensor(from string) Link {
	return Link{Title: "This sensor", URL: "/d/" + sensorUID + "?" + kept + "&var-sensor=" + from}
}

// Where links find the id of a sensor.
const (
	ofRow  = "${__data.fields.sensor}"
	ofLine = "${__field.labels.sensor}"
)

// toDistrict leads from a line to a dashboard of its district.
func toDistrict(title, uid string) Link {
	return Link{Title: title, URL: "/d/" + uid + "?${__url_time_range}&var-district=${__field.labels.district}"}
}

// navigation is the links at the top of a dashboard: to all others. The sensor dashboard has so many boxes there that they go into a list.
func navigation(self string) []DashboardLink {
	if self == sensorUID {
		return []DashboardLink{{
			Type: "dashboards", Title: "Dashboards", Tooltip: "The city, its domains, the fleet and the pipeline", Tags: []string{tag}, AsDropdown: true, KeepTime: true, IncludeVars: true,
		}}
	}
	var links []DashboardLink
	for _, d := range []struct{ uid, title, tooltip string }{
		{overviewUID, "Overview", "The city at a glance"},
		{trafficUID, "Traffic", "Flow, speed, travel times, parking"},
		{energyUID, "Energy", "Load, voltage, street lights"},
		{safetyUID, "Safety", "Air, noise, water, crowds"},
		{sensorUID, "Sensor", "Everything about one sensor"},
		{fleetUID, "Fleet", "Which sensors are silent, late or incomplete"},
		{pipelineUID, "Pipeline", "How the server is doing"},
	} {
		if d.uid != self {
			links = append(links, DashboardLink{
				Type: "link", Title: d.title, Tooltip: d.tooltip, URL: (&url.URL{Path: "/d/" + d.uid}).String(), Tags: []string{},
				KeepTime: true, IncludeVars: true,
			})
		}
	}
	return links
}
