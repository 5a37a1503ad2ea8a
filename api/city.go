package api

import (
	"context"

	"github.com/lamppost-city/lamppost/telemetry"
)

// City is what the page says of the city.
type City struct {
	Name string `json:"name"`
	Zone string `json:"zone" doc:"IANA name of the time zone in which people there read times."`
	// Version and API tell a client whom it talks to.
	Version string `json:"version" doc:"Of the process that answers."`
	API     int    `json:"api" doc:"Version of this API; it grows when something that clients rely on changes."`
}

// apiVersion is that of /api/v1. What is added does not change it.
const apiVersion = 1

type cityOutput struct {
	Body City
}

func (s *Server) getCity(context.Context, *struct{}) (*cityOutput, error) {
	return &cityOutput{Body: City{Name: s.cfg.CityName, Zone: s.cfg.CityZone, Version: s.deps.Version, API: apiVersion}}, nil
}

// Quantity is an entry of the catalogue as the API shows it.
type Quantity struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Domain string   `json:"domain" enum:"traffic,energy,safety"`
	Kind   string   `json:"kind" enum:"gauge,counter,count,state"`
	Unit   string   `json:"unit" doc:"The unit's symbol; empty for a bare number."`
	UCUM   string   `json:"ucum" doc:"The unit's UCUM code."`
	SenML  string   `json:"senml" doc:"The unit's SenML name; empty where it has none."`
	Min    float64  `json:"min" doc:"Readings below are refused."`
	Max    float64  `json:"max" doc:"Readings above are refused."`
	States []string `json:"states" nullable:"false" doc:"Names of the values 0, 1, 2 ... of a state; empty for other kinds."`
	Mean   string   `json:"mean" enum:"arithmetic,energetic,circular" doc:"How values are averaged: levels by their energy, directions as vectors."`
	Device bool     `json:"device" doc:"It tells of the device itself, such as its battery, not of the city."`
	Model  string   `json:"model" doc:"Attribute in the FIWARE Smart Data Models; empty where there is none."`
}

// QuantityList is the whole catalogue, in order of domain, then name.
type QuantityList struct {
	Items []Quantity `json:"items" nullable:"false"`
}

func quantityList() QuantityList {
	all := telemetry.Quantities()
	list := QuantityList{Items: make([]Quantity, len(all))}
	for i := range all {
		q := &all[i]
		list.Items[i] = Quantity{
			Name: q.Name, Title: q.Title, Domain: q.Domain.String(), Kind: q.Kind.String(), Unit: q.Unit.Symbol,
			UCUM: q.Unit.UCUM, SenML: q.Unit.SenML, Min: q.Min, Max: q.Max, States: append([]string{}, q.States...), Mean: q.Mean.String(), Device: q.Device, Model: q.Model,
		}
	}
	return list
}

// tagInput is of an answer with an ETag and no other parameter.
type tagInput struct {
	IfNoneMatch string `header:"If-None-Match" hidden:"true"`
}

func (s *Server) getQuantities(_ context.Context, in *tagInput) (*fileOutput, error) {
	return tagged(quantityList(), in.IfNoneMatch)
}
