package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// Names turns what payloads and topics call sensors into ids. It remembers names, so it is not safe for concurrent use.
type Names struct {
	cfg    Sensor
	listed map[string]telemetry.SensorID
	known  *scan.Table[telemetry.SensorID]
	topics *scan.Table[telemetry.SensorID] // whole topics
	owners *scan.Table[string]             // whose name has become an id by Slug
}

// Bounds of what Names remembers of names that are not listed.
const (
	rememberedNames = 4096
	maxName         = 256
	rememberedTopic = 512 // longer topics are taken apart each time
)

// NewNames checks the rules. The error joins all that is wrong, each with its key.
func NewNames(cfg Sensor) (*Names, error) {
	var all []error
	n := &Names{
		cfg: cfg, listed: make(map[string]telemetry.SensorID, len(cfg.Names)),
		known: scan.NewTable[telemetry.SensorID](rememberedNames), topics: scan.NewTable[telemetry.SensorID](rememberedNames),
		owners: scan.NewTable[string](rememberedNames),
	}
	sources := 0
	for _, set := range []bool{cfg.ID != "", cfg.Path != "", len(cfg.Topic) > 0} {
		if set {
			sources++
		}
	}
	if sources > 1 {
		all = append(all, errors.New("id: only one of id, path and topic can say which sensor it is; leave the others out"))
	}
	if cfg.ID != "" {
		if err := checkID(cfg.ID); err != nil {
			all = append(all, fmt.Errorf("id: %w", err))
		}
	}
	if cfg.Path == "" && len(cfg.Topic) == 0 && (len(cfg.Names) > 0 || cfg.Slug || cfg.Prefix != "") {
		all = append(all, errors.New("names: they, slug and prefix are of use only with path or topic; say where the name is"))
	}
	if len(cfg.Topic) > maxLevels {
		all = append(all, fmt.Errorf("topic: has %d levels; at most %d are allowed", len(cfg.Topic), maxLevels))
	}
	for _, level := range cfg.Topic {
		if level == 0 {
			all = append(all, errors.New("topic: there is no level 0; 1 is the first, -1 the last"))
		}
	}
	if len(cfg.Names) > maxNames {
		all = append(all, fmt.Errorf("names: are %d; at most %d are allowed", len(cfg.Names), maxNames))
	}
	for i, one := range cfg.Names {
		var err error
		if one.Name == "" {
			err = errors.New("name: is empty")
		} else if _, twice := n.listed[one.Name]; twice {
			err = fmt.Errorf("name: %q is there twice", one.Name)
		}
		if wrong := checkID(one.ID); wrong != nil {
			err = errors.Join(err, fmt.Errorf("id: %w", wrong))
		}
		all = append(all, faults.Prefix(fmt.Sprintf("names[%d]", i), err))
		n.listed[one.Name] = one.ID
		n.owners.Put(string(one.ID), one.Name)
	}
	if cfg.Prefix != "" {
		if err := telemetry.SensorID(cfg.Prefix + "0").Check(); err != nil {
			all = append(all, fmt.Errorf("prefix: %w", err))
		}
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	return n, nil
}

// checkID is SensorID.Check, and refuses ids that are names of quantities: in SenML they could not be told apart.
func checkID(id telemetry.SensorID) error {
	if _, taken := telemetry.QuantityByName(string(id)); taken {
		return fmt.Errorf("id %q is the name of a quantity", id)
	}
	return id.Check()
}

// FromTopic returns the id that the topic names; ok is false where the rules have nothing to do with the topic.
func (n *Names) FromTopic(topic string) (id telemetry.SensorID, ok bool, err error) {
	if n.cfg.ID != "" {
		return n.cfg.ID, true, nil
	}
	if len(n.cfg.Topic) == 0 {
		return "", false, nil
	}
	if id, known := n.topics.Find(topic); known {
		return id, true, nil
	}
	levels := strings.Split(topic, "/")
	parts := make([]string, len(n.cfg.Topic))
	for i, at := range n.cfg.Topic {
		if at > 0 {
			at--
		} else {
			at += len(levels)
		}
		if at < 0 || at >= len(levels) {
			return "", true, fmt.Errorf("topic %s has no level %d", scan.Excerpt([]byte(topic)), n.cfg.Topic[i])
		}
		parts[i] = levels[at]
	}
	if id, err = n.Resolve([]byte(strings.Join(parts, "/"))); err == nil && len(topic) <= rememberedTopic {
		n.topics.Put(topic, id)
	}
	return id, true, err
}

// Resolve returns the id of a name.
func (n *Names) Resolve(name []byte) (telemetry.SensorID, error) {
	if id, ok := n.listed[string(name)]; ok {
		return id, nil
	}
	if id, ok := n.known.Get(name); ok {
		return id, nil
	}
	if len(name) > maxName {
		return "", fmt.Errorf("name %s has %d characters; at most %d are allowed", scan.Excerpt(name), len(name), maxName)
	}
	text := string(name)
	id := telemetry.SensorID(n.cfg.Prefix + text)
	if n.cfg.Slug {
		id = telemetry.SensorID(n.cfg.Prefix + slug(text))
	}
	if err := checkID(id); err != nil {
		remedy := "list it in names, or set slug"
		if n.cfg.Slug {
			remedy = "list it in names"
		}
		return "", fmt.Errorf("name %s is no sensor's id; %s: %w", scan.Excerpt(name), remedy, err)
	}
	if n.cfg.Slug {
		if owner, taken := n.owners.Find(string(id)); taken && owner != text {
			return "", fmt.Errorf("name %s becomes the id of %s; list one of them in names", scan.Excerpt(name), scan.Excerpt([]byte(owner)))
		}
		n.owners.Put(string(id), text)
	}
	n.known.Put(text, id)
	return id, nil
}

// slug makes a-z, 0-9 and '-' of a name.
func slug(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			dash = false
			continue
		}
		dash = true
	}
	return b.String()
}
