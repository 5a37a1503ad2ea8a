package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// questions are histories to ask of a running server that has this past.
type questions struct {
	url            string
	rounds, series int
	points         int
	back           time.Duration
	// same asks for the same sensors every time, as a dashboard that refreshes does; otherwise for others.
	same bool
}

// ask measures from the request to the last byte of the answer, one question after the other, and prints the delays.
func (q questions) ask(ctx context.Context, sensors int) error {
	random := rand.New(rand.NewPCG(1, 2))
	var delays []time.Duration
	var address string
	bytes, series, stepMS := 0, 0, 0
	for round := range q.rounds {
		if round == 0 || !q.same {
			address = q.address(random, sensors)
		}
		began := time.Now()
		body, err := get(ctx, address)
		if err != nil {
			return err
		}
		delays = append(delays, time.Since(began))
		var answer struct {
			StepMS    int               `json:"step_ms"`
			Truncated bool              `json:"truncated"`
			Series    []json.RawMessage `json:"series"`
		}
		if err := json.Unmarshal(body, &answer); err != nil || answer.Truncated {
			return fmt.Errorf("the answer is truncated: %v, or no JSON: %w", answer.Truncated, err)
		}
		bytes, series, stepMS = len(body), len(answer.Series), answer.StepMS
	}
	first := delays[0]
	slices.Sort(delays)
	at := func(share float64) time.Duration {
		return delays[int(share*float64(len(delays)-1))].Round(100 * time.Microsecond)
	}
	fmt.Printf("%d questions of %d series over %s, step %s, %d bytes: first %s, p50 %s, p90 %s, p99 %s, longest %s\n", q.rounds, series, q.back,
		time.Duration(stepMS)*time.Millisecond, bytes, first.Round(100*time.Microsecond), at(0.5), at(0.9), at(0.99), at(1))
	return nil
}

// address asks for some sensors that measure the same.
func (q questions) address(random *rand.Rand, sensors int) string {
	k := random.IntN(3)
	var ids []string
	for _, i := range random.Perm(sensors) {
		if i%3 == k && len(ids) < q.series {
			ids = append(ids, idOf(i))
		}
	}
	return q.url + "/api/v1/history?" + url.Values{
		"sensor": {strings.Join(ids, ",")}, "quantity": {kindOf(k).quantity}, "from": {"-" + q.back.String()},
		"points": {strconv.Itoa(q.points)}, "format": {"columns"},
	}.Encode()
}

func get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err == nil && got.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", got.Status, body)
	}
	return body, err
}
