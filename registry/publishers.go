package registry

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Limits of passwords.
const (
	// MinPasswordLength is the length, in bytes, of the shortest password.
	MinPasswordLength = 12
	// MaxPasswordLength is the length, in bytes, of the longest password: bcrypt ignores what comes after.
	MaxPasswordLength = 72
)

// Publisher is somebody who may log in to the broker: a bridge, or a sensor that speaks MQTT itself.
type Publisher struct {
	// ID is the user name, and the publisher's level in the topic.
	ID telemetry.SensorID
	// MayPublishAll lets it publish in every publisher's name: gateways, simulators.
	MayPublishAll bool
	// CreatedAt is kept by the registry: UTC, in milliseconds.
	CreatedAt time.Time
}

// publisher is a Publisher with its password's hash.
type publisher struct {
	Publisher
	hash string
}

// SetPassword registers a publisher, or changes its password and rights; its Mark is another one then. The errors are
// *InvalidError, or from the file.
func (r *Registry) SetPassword(ctx context.Context, by Actor, p Publisher, password secret.String) error {
	var f faults
	f.slug("id", string(p.ID))
	if n := len(password); n < MinPasswordLength || n > MaxPasswordLength {
		f.add("password", "has %d bytes; %d to %d are allowed", n, MinPasswordLength, MaxPasswordLength)
	}
	if err := invalid(KindPublisher, string(p.ID), f); err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password.Reveal()), r.cfg.PasswordCost)
	if err != nil {
		return fmt.Errorf("hash the password of publisher %s: %w", p.ID, err)
	}
	const upsert = `INSERT INTO publishers (id, password_hash, may_publish_all, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET password_hash = excluded.password_hash,
			may_publish_all = excluded.may_publish_all`
	return r.change(ctx, by, func(e *edit) error {
		if err := e.exec(ctx, upsert, string(p.ID), string(hash), p.MayPublishAll, int64(e.at)); err != nil {
			return fmt.Errorf("write publisher %s: %w", p.ID, err)
		}
		old, exists := e.before.publisherByID[p.ID]
		if !exists {
			e.note(ActionCreate, KindPublisher, string(p.ID))
			return nil
		}
		e.note(ActionUpdate, KindPublisher, string(p.ID), differing(
			field{"password", true},
			field{"may_publish_all", old.MayPublishAll != p.MayPublishAll},
		)...)
		return nil
	})
}

// NewPassword is SetPassword with a random password of at least 128 bits. It returns the password, which cannot be found
// again later.
func (r *Registry) NewPassword(ctx context.Context, by Actor, p Publisher) (secret.String, error) {
	password := secret.String(rand.Text())
	if err := r.SetPassword(ctx, by, p, password); err != nil {
		return "", err
	}
	return password, nil
}

// RemovePublisher takes the right to log in from a publisher, and with it the Mark by which a broker lets sessions go on. Without
// it the error wraps ErrNotFound.
func (r *Registry) RemovePublisher(ctx context.Context, by Actor, id telemetry.SensorID) error {
	return r.change(ctx, by, func(e *edit) error {
		if _, ok := e.before.publisherByID[id]; !ok {
			return notFound(KindPublisher, string(id))
		}
		if err := e.exec(ctx, `DELETE FROM publishers WHERE id = $1`, string(id)); err != nil {
			return fmt.Errorf("delete publisher %s: %w", id, err)
		}
		e.note(ActionDelete, KindPublisher, string(id))
		return nil
	})
}

// ListPublishers returns all publishers in order of id, as they are in the file now.
func (r *Registry) ListPublishers(ctx context.Context) ([]Publisher, error) {
	now, err := r.refresh(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Publisher, 0, len(now.publishers))
	for _, p := range now.publishers {
		all = append(all, p.Publisher)
	}
	return all, nil
}
