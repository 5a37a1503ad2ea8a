package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/registry"
)

func TestPublisherLogsInWithItsPasswordOnly(t *testing.T) {
	r := open(t)
	ctx := t.Context()
	if r.Required() {
		t.Error("a password is required before there is any")
	}
	first := must[secret.String](t)(r.NewPassword(ctx, by, registry.Publisher{ID: "gateway-7"}))
	all := must[secret.String](t)(r.NewPassword(ctx, by, registry.Publisher{ID: "simulator", MayPublishAll: true}))
	if !r.Required() {
		t.Error("no password is required although there are some")
	}
	check := func(rule, user, password string, want registry.Grant, ok bool) {
		t.Helper()
		for range 2 { // the second time out of memory
			grant, accepted := r.Verify(user, password)
			if grant != want || accepted != ok {
				t.Errorf("%s: %+v, %v", rule, grant, accepted)
			}
		}
	}
	check("its own", "gateway-7", first.Reveal(), registry.Grant{Publisher: "gateway-7"}, true)
	check("may publish all", "simulator", all.Reveal(), registry.Grant{Publisher: "simulator", All: true}, true)
	check("another's", "gateway-7", all.Reveal(), registry.Grant{}, false)
	check("none", "gateway-7", "", registry.Grant{}, false)
	check("unknown user", "ghost", first.Reveal(), registry.Grant{}, false)
	check("longer than bcrypt reads", "gateway-7", first.Reveal()+strings.Repeat("x", 72), registry.Grant{}, false)

	second := must[secret.String](t)(r.NewPassword(ctx, by, registry.Publisher{ID: "gateway-7", MayPublishAll: true}))
	check("the one before", "gateway-7", first.Reveal(), registry.Grant{}, false)
	check("the new one, with the new right", "gateway-7", second.Reveal(), registry.Grant{Publisher: "gateway-7", All: true}, true)

	if err := r.RemovePublisher(ctx, by, "gateway-7"); err != nil {
		t.Fatal(err)
	}
	check("removed", "gateway-7", second.Reveal(), registry.Grant{}, false)
	if err := r.SetPassword(ctx, by, registry.Publisher{ID: "gateway-7"}, second); err != nil {
		t.Fatal(err)
	}
	check("registered again", "gateway-7", second.Reveal(), registry.Grant{Publisher: "gateway-7"}, true)
}

func TestEveryChangeOfACredentialChangesItsMark(t *testing.T) {
	r := open(t)
	ctx := t.Context()
	seen := map[string]string{r.Mark("gateway-7"): "nobody"}
	if _, ok := seen[""]; !ok {
		t.Error("nobody has a mark")
	}
	p := registry.Publisher{ID: "gateway-7"}
	for _, c := range []struct {
		rule   string
		change func() error
	}{
		{"a password", func() error { return r.SetPassword(ctx, by, p, "correct horse") }},
		{"the same password again", func() error { return r.SetPassword(ctx, by, p, "correct horse") }},
		{"more rights", func() error { p.MayPublishAll = true; return r.SetPassword(ctx, by, p, "correct horse") }},
		{"a password after a new one", func() error { _, err := r.NewPassword(ctx, by, p); return err }},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		mark := r.Mark("gateway-7")
		if before, ok := seen[mark]; ok {
			t.Errorf("%s: the mark is that of %s", c.rule, before)
		}
		seen[mark] = c.rule
		if r.Mark("gateway-7") != mark {
			t.Error("the mark changes by itself")
		}
	}
	if err := r.RemovePublisher(ctx, by, "gateway-7"); err != nil || r.Mark("gateway-7") != "" {
		t.Errorf("a removed publisher has a mark; %v", err)
	}
}

func TestPasswordIsSeenNowhere(t *testing.T) {
	r := open(t)
	password := must[secret.String](t)(r.NewPassword(t.Context(), by, registry.Publisher{ID: "gateway-7"}))
	if len(password.Reveal()) < 26 { // 26 letters of base 32 are 130 bits
		t.Errorf("the password has %d characters", len(password.Reveal()))
	}
	publishers := must[[]registry.Publisher](t)(r.ListPublishers(t.Context()))
	want := []registry.Publisher{{ID: "gateway-7"}}
	if diff := cmp.Diff(want, publishers, cmpopts.IgnoreFields(registry.Publisher{}, "CreatedAt")); diff != "" {
		t.Error(diff)
	}
	entries, _, err := r.Audit(t.Context(), registry.AuditFilter{})
	if err != nil || len(entries) != 1 || strings.Contains(fmt.Sprint(entries), password.Reveal()) {
		t.Errorf("audit: %+v, %v", entries, err)
	}
}

func TestWeakPasswordsAreRefused(t *testing.T) {
	r := open(t)
	for _, password := range []string{"", "short", strings.Repeat("x", 73)} {
		err := r.SetPassword(t.Context(), by, registry.Publisher{ID: "BAD"}, secret.String(password))
		var invalid *registry.InvalidError
		if !errors.As(err, &invalid) || len(invalid.Fields) != 2 {
			t.Errorf("%d bytes: %v", len(password), err)
		}
	}
}
