package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Fields lists the names of a domain's fields: quantities, and raw values beside calibrated ones.
func (c *Client) Fields(ctx context.Context, domain telemetry.Domain) ([]string, error) {
	names, err := c.names(ctx, "SHOW FIELD KEYS FROM "+QuoteIdent(domain.String()), "fieldKey")
	if err != nil {
		return nil, fmt.Errorf("list the fields of %s: %w", domain, err)
	}
	return names, nil
}

// Sensors lists the sensors that have points in a domain, whenever. (InfluxDB 3 looks only at the last day.)
func (c *Client) Sensors(ctx context.Context, domain telemetry.Domain) ([]telemetry.SensorID, error) {
	names, err := c.names(ctx, "SHOW TAG VALUES FROM "+QuoteIdent(domain.String())+` WITH KEY = "sensor"`, "value")
	if err != nil {
		return nil, fmt.Errorf("list the sensors of %s: %w", domain, err)
	}
	ids := make([]telemetry.SensorID, len(names))
	for i, name := range names {
		ids[i] = telemetry.SensorID(name)
	}
	return ids, nil
}

var errShortRow = errors.New("a row has fewer cells than there are columns")

// names returns the texts of one column.
func (c *Client) names(ctx context.Context, influxQL, column string) ([]string, error) {
	var all []string
	err := c.ask(ctx, influxQL, func(body io.Reader) error {
		decoder := json.NewDecoder(&boundedReader{from: body, limits: limits{total: c.cfg.MaxResponseBytes}})
		for first := true; ; first = false {
			var d textDocument
			if err := decoder.Decode(&d); err == io.EOF && !first {
				return nil
			} else if err != nil {
				return unreadable(err)
			}
			found, err := d.column(column)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
	})
	return all, err
}

// textDocument is one JSON document of an answer to SHOW.
type textDocument struct {
	Results []struct {
		Series []struct {
			Columns []string   `json:"columns"`
			Values  [][]string `json:"values"`
		} `json:"series"`
		Error string `json:"error"`
	} `json:"results"`
	Error string `json:"error"`
}

func (d *textDocument) column(name string) ([]string, error) {
	if d.Error != "" {
		return nil, queryError(d.Error)
	}
	var texts []string
	for _, result := range d.Results {
		if result.Error != "" {
			return nil, queryError(result.Error)
		}
		for _, s := range result.Series {
			for c, column := range s.Columns {
				if column != name {
					continue
				}
				for _, row := range s.Values {
					if c >= len(row) {
						return nil, unreadable(errShortRow)
					}
					texts = append(texts, row[c])
				}
			}
		}
	}
	return texts, nil
}
