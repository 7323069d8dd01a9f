//! Structs that are read from objects: a table of names and slots for each, in place of code of its own ([`super::document`]).

/// Defines a struct that is read from an object: after a member's type stands its name, where that is another one.
macro_rules! record {
    (
        $(#[$attribute:meta])*
        $access:vis struct $name:ident<$life:lifetime> { $($members:tt)* }
    ) => {
        $crate::json::record!(@define [$(#[$attribute])* $access] $name [$name<$life>] [<$life>] $life { $($members)* });
    };
    (
        $(#[$attribute:meta])*
        $access:vis struct $name:ident { $($members:tt)* }
    ) => {
        $crate::json::record!(@define [$(#[$attribute])* $access] $name [$name] [] 'a { $($members)* });
    };
    (@define [$($head:tt)*] $name:ident [$of:ty] [$($generics:tt)*] $life:lifetime {
        $($(#[$attribute:meta])* $access:vis $member:ident: $type:ty $(= $as:literal)?),* $(,)?
    }) => {
        $($head)* struct $name $($generics)* {
            $($(#[$attribute])* $access $member: $type),*
        }

        impl<$life> $crate::json::Read<$life> for $of {
            fn empty() -> Self {
                Self { $($member: $crate::json::Read::empty()),* }
            }

            fn slot(&mut self) -> $crate::json::Slot<'_, $life> {
                $crate::json::Slot::Object($crate::json::Object::Record(self))
            }
        }

        impl<$life> $crate::json::Record<$life> for $of {
            fn names(&self) -> &'static [&'static str] {
                &[$($crate::json::record!(@name $member $($as)?)),*]
            }

            fn needed(&self) -> u32 {
                const { $crate::json::mask(&[$(<$type as $crate::json::Read<'_>>::IS_NEEDED),*]) }
            }

            fn member(&mut self, place: usize) -> Option<$crate::json::Slot<'_, $life>> {
                #[expect(non_camel_case_types, reason = "the names of the members")]
                enum Place { $($member),* }
                match place {
                    $(place if place == Place::$member as usize => Some($crate::json::Read::slot(&mut self.$member)),)*
                    _ => None,
                }
            }
        }
    };
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $as:literal) => { $as };
}
pub(crate) use record;

/// Flags as bits, from the lowest on.
pub(crate) const fn mask(flags: &[bool]) -> u32 {
    assert!(flags.len() <= 32, "more members than bits");
    match flags {
        [] => 0,
        [first, rest @ ..] => {
            let rest = mask(rest) << 1;
            if *first { rest | 1 } else { rest }
        }
    }
}
