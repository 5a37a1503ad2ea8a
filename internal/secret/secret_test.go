package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/internal/secret"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	token := secret.String("hunter2hunter2")
	holder := struct{ Token secret.String }{token}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("start", "token", token, "holder", holder)

	for _, text := range []string{
		fmt.Sprint(token), fmt.Sprintf("%v %+v %#v %s %q", holder, holder, holder, token, token), string(encoded), logged.String(),
	} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the secret shows in %s", text)
		}
	}
	if token.Reveal() != "hunter2hunter2" {
		t.Errorf("Reveal() = %q", token.Reveal())
	}
}
