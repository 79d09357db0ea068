// The same entries in bbolt, and two ways to back them up.
//
//	bbolt-peer fill DB      reads entries of 32-byte keys and 200-byte values, in order, from its standard input
//	bbolt-peer copy DB OUT  bbolt's own copy of a database in use (Tx.CopyFile), synced
//	bbolt-peer seed DB OUT  the way of Strongroom's ancestor, Prysm's Store.Backup: two transactions for each key
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	keyBytes   = 32
	valueBytes = 200
	// Entries for each transaction that fills.
	batch = 100_000
	// By how much the file of the ancestor's backups grows.
	allocSize = 8 << 20
)

var bucket = []byte("entries")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bbolt-peer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "fill":
		return fill(args[1])
	case len(args) == 3 && args[0] == "copy":
		return copyFile(args[1], args[2])
	case len(args) == 3 && args[0] == "seed":
		return seedsWay(args[1], args[2])
	}
	return errors.New("usage: bbolt-peer fill DB | copy DB OUT | seed DB OUT")
}

func fill(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for more := true; more; {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(bucket)
			if err != nil {
				return err
			}
			b.FillPercent = 1.0
			for i := 0; i < batch; i++ {
				entry := make([]byte, keyBytes+valueBytes)
				if _, err := io.ReadFull(in, entry); err == io.EOF {
					more = false
					return nil
				} else if err != nil {
					return err
				}
				if err := b.Put(entry[:keyBytes], entry[keyBytes:]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := db.Sync(); err != nil {
		return err
	}
	return db.Close()
}

func copyFile(from, to string) error {
	db, err := bolt.Open(from, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.View(func(tx *bolt.Tx) error { return tx.CopyFile(to, 0o600) }); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}

// The keys of all buckets first, in one transaction; then for each key one that reads and one that writes.
func seedsWay(from, to string) error {
	db, err := bolt.Open(from, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer db.Close()
	out, err := bolt.Open(to, 0o600, &bolt.Options{
		NoSync:       true,
		Timeout:      time.Second,
		FreelistType: bolt.FreelistMapType,
	})
	if err != nil {
		return err
	}
	out.AllocSize = allocSize
	keys := map[string][][]byte{}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			var all [][]byte
			err := b.ForEach(func(k, _ []byte) error {
				all = append(all, append([]byte(nil), k...))
				return nil
			})
			keys[string(name)] = all
			return err
		})
	})
	if err != nil {
		return err
	}
	for name, all := range keys {
		name := []byte(name)
		for _, key := range all {
			err := db.View(func(tx *bolt.Tx) error {
				value := tx.Bucket(name).Get(key)
				return out.Update(func(tx *bolt.Tx) error {
					b, err := tx.CreateBucketIfNotExists(name)
					if err != nil {
						return err
					}
					return b.Put(key, value)
				})
			})
			if err != nil {
				return err
			}
		}
	}
	out.NoSync = false
	return out.Close()
}
