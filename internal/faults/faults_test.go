package faults_test

import (
	"errors"
	"testing"

	"github.com/lamppost-city/lamppost/internal/faults"
)

func TestEveryFaultGetsItsSection(t *testing.T) {
	inner := errors.Join(errors.New("url: must not be empty"), errors.New("token: must not be empty"))
	err := errors.Join(faults.Prefix("broker", inner), faults.Prefix("spool", nil), errors.New("dir: must not be empty"))
	got := faults.Prefix("ingest", err).Error()
	want := "ingest.broker.url: must not be empty\ningest.broker.token: must not be empty\ningest.dir: must not be empty"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestNoFaultStaysNone(t *testing.T) {
	if err := faults.Prefix("broker", nil); err != nil {
		t.Error(err)
	}
}

func TestOneFaultIsASentenceAndSeveralAreAList(t *testing.T) {
	one, two := errors.New("dir: must not be empty"), errors.New("url: must not be empty")
	if got := faults.Report("the configuration", errors.Join(one)).Error(); got != "the configuration has a fault: dir: must not be empty" {
		t.Error(got)
	}
	if got := faults.Report("the configuration", errors.Join(one, two)).Error(); got != "the configuration has 2 faults:\n  dir: must not be empty\n  url: must not be empty" {
		t.Error(got)
	}
}
