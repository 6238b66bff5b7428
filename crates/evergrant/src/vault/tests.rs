use std::sync::Arc;

use super::*;
use crate::clock::Timestamp;
use crate::ids::{DataKeyId, OrgId, TenantId};
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn place(id: &str) -> Place<'_> {
    Place {
        table: "connections",
        id,
        column: "sealed_credential",
    }
}

fn sealer(tenant: &TenantId) -> (Keyring, Sealer, Vec<u8>, OrgId, DataKeyId) {
    let ring = Keyring::parse(&Keyring::generate()).unwrap();
    let (org, id) = (OrgId::new(NOW), DataKeyId::new(NOW));
    let (key, wrapped) = ring.new_data_key(&org, id.clone());
    (ring, Sealer::new(tenant.clone(), Arc::new(vec![key])), wrapped, org, id)
}

#[test]
fn a_value_opens_in_its_place_and_nowhere_else() {
    let tenant = TenantId::new(NOW);
    let (ring, sealer, wrapped, org, key_id) = sealer(&tenant);
    let sealed = sealer.seal(place("row-1"), b"token");
    assert_eq!(sealer.open(place("row-1"), &sealed).unwrap().expose(), b"token");

    assert!(sealer.open(place("row-2"), &sealed).is_err(), "another row");
    let other_column = Place {
        column: "sealed_secret",
        ..place("row-1")
    };
    assert!(sealer.open(other_column, &sealed).is_err(), "another column");
    let other_table = Place {
        table: "oauth_clients",
        ..place("row-1")
    };
    assert!(sealer.open(other_table, &sealed).is_err(), "another table");
    let key = ring.open_data_key(&org, key_id, &wrapped).unwrap();
    let other_tenant = Sealer::new(TenantId::new(NOW), Arc::new(vec![key]));
    assert!(
        other_tenant.open(place("row-1"), &sealed).is_err(),
        "another tenant with the same key"
    );
}

#[test]
fn an_altered_value_does_not_open_whatever_byte_it_is() {
    let (_, sealer, ..) = sealer(&TenantId::new(NOW));
    let sealed = sealer.seal(place("row"), b"token");
    for at in 0..sealed.as_bytes().len() {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(
            sealer.open(place("row"), &Sealed::from_bytes(bytes)).is_err(),
            "byte {at}"
        );
    }
    for len in 0..sealed.as_bytes().len() {
        assert!(
            sealer
                .open(place("row"), &Sealed::from_bytes(sealed.as_bytes()[..len].to_vec()))
                .is_err()
        );
    }
}

#[test]
fn the_same_value_is_never_sealed_to_the_same_bytes() {
    let (_, sealer, ..) = sealer(&TenantId::new(NOW));
    assert_ne!(sealer.seal(place("row"), b"token"), sealer.seal(place("row"), b"token"));
}

#[test]
fn a_data_key_opens_for_its_organisation_only() {
    let (ring, _, wrapped, org, id) = sealer(&TenantId::new(NOW));
    assert!(ring.open_data_key(&org, id.clone(), &wrapped).is_ok());
    assert!(ring.open_data_key(&OrgId::new(NOW), id, &wrapped).is_err());
}

#[test]
fn an_older_master_key_still_opens_and_a_strange_one_does_not() {
    let (old, new) = (Keyring::generate(), Keyring::generate());
    let before = Keyring::parse(&old).unwrap().check_value();
    let ring = Keyring::parse(&Secret::from(format!("{},{}", new.expose(), old.expose()))).unwrap();
    assert!(ring.opens(&before));
    assert!(!Keyring::parse(&new).unwrap().opens(&before));
    assert!(!ring.opens(b""));
}

#[test]
fn what_is_no_master_key_is_refused() {
    for text in ["", "short", "not base64 at all!", "AAAA", &"A".repeat(44)] {
        assert!(Keyring::parse(&Secret::from(text.to_owned())).is_err(), "{text:?}");
    }
}

#[test]
fn nothing_of_the_vault_prints_a_key() {
    let master = Keyring::generate();
    let ring = Keyring::parse(&master).unwrap();
    let (key, _) = ring.new_data_key(&OrgId::new(NOW), DataKeyId::new(NOW));
    let printed = format!("{ring:?} {key:?} {master:?}");
    assert!(!printed.contains(master.expose()));
}
