package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/governance/identity"
)

// Keys is state.db, where keys are kept. Several processes may have it open: a key that one adds or revokes is seen by
// the next List of another.
type Keys struct{ db *sql.DB }

var _ identity.Store = (*Keys)(nil)

// OpenKeys opens the keys in a storage directory and makes the file when it is missing, also while a server runs.
// Errors are *llm.Error with a hint for the operator.
func OpenKeys(dir string) (*Keys, error) {
	db, err := openWriter(filepath.Join(dir, StateFile), "state")
	if err != nil {
		return nil, err
	}
	return &Keys{db: db}, nil
}

// Close closes the file.
func (k *Keys) Close() error { return k.db.Close() }

// Add implements identity.Store.
func (k *Keys) Add(key identity.Key) error {
	routes, err := json.Marshal(key.Routes)
	if err != nil {
		return fmt.Errorf("add key %s: %w", key.ID, err)
	}
	_, err = k.db.Exec(`INSERT INTO keys (id, hash, name, team, use_case, routes, floor, raw_context, created, revoked)
		VALUES (?,?,?,?,?,?,?,?,?,?)`, key.ID, key.Hash[:], key.Name, key.Team, key.UseCase, string(routes), key.Floor,
		key.RawContext, nanos(key.Created), nanos(key.Revoked))
	if err != nil {
		return fmt.Errorf("add key %s: %w", key.ID, err)
	}
	return nil
}

// List implements identity.Store.
func (k *Keys) List() (keys []identity.Key, err error) {
	rows, err := k.db.Query(`SELECT id, hash, name, team, use_case, routes, floor, raw_context, created, revoked FROM keys
		ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key identity.Key
		var hash, routes []byte
		var created, revoked int64
		err := rows.Scan(&key.ID, &hash, &key.Name, &key.Team, &key.UseCase, &routes, &key.Floor, &key.RawContext,
			&created, &revoked)
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		if len(hash) != len(key.Hash) {
			return nil, fmt.Errorf("list keys: key %s has a damaged hash", key.ID)
		}
		copy(key.Hash[:], hash)
		if err := json.Unmarshal(routes, &key.Routes); err != nil {
			return nil, fmt.Errorf("list keys: routes of key %s: %w", key.ID, err)
		}
		if len(key.Routes) == 0 {
			key.Routes = nil // every route
		}
		key.Created, key.Revoked = instant(created), instant(revoked)
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// Revoke implements identity.Store.
func (k *Keys) Revoke(id string, at time.Time) error {
	r, err := k.db.Exec(`UPDATE keys SET revoked = CASE revoked WHEN 0 THEN ? ELSE revoked END WHERE id = ?`,
		nanos(at), id)
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	if n == 0 {
		return fmt.Errorf("revoke key %s: there is no such key", id)
	}
	return nil
}
